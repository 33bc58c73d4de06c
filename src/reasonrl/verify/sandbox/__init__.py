"""Run programs that nobody trusts. Standard library only, and independent of the rest of reasonrl.

    supervisor   one process a worker: takes a job, keeps the deadlines, judges standard output
      └ zygote   a warm interpreter behind `walls`, forked once for each program
          └ init       first process of fresh namespaces: waits, reports how the program ended
              └ program    the hostile one: `program.run_script` or `program.serve_calls`
              or judge     the task's own test code, in a namespace set of its own (`judge`)

Expected outputs are known to the supervisor and to judges, never to a zygote or a program.

The supervisor and the zygote import this package by the name `sandbox`, so that a warm interpreter
is small; imports in here are relative for that reason. Read top-down: supervisor, cell (its side of
a zygote), zygote, walls, program, judge, remote (stand-ins for what a program holds); below them
values (what crosses between judge and program), frames (messages), compare, ending, processes,
cgroup, linux (system calls).
"""
