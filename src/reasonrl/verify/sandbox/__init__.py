"""Run programs that nobody trusts, with the standard library alone.

    supervisor   one process for each worker: takes jobs, keeps deadlines, judges standard output
      └ zygote   a warm interpreter behind `walls`, forked once for each program
          └ init       first process of fresh namespaces: waits, reports how the program ended
              └ program    the untrusted code: `program.read_script` or `served.serve_calls`
              or judge     the task's own test code, in namespaces of its own (`judge`)

Supervisors and judges know the expected outputs; zygotes and programs never do.

The supervisor and the zygote import this package by the name `sandbox`, without the rest of
reasonrl, so that a warm interpreter is small. For that reason imports in this package are relative.
Read top-down: supervisor, cell (the supervisor's side of a zygote), zygote, walls, program (a
script), served (a solution that is called), judge; below the judge prepared (a task's test code),
testcode (what its text says), marking (the judge's marks in it), remote (messages to the program),
stand (stand-ins for objects of the program), failures (its exceptions), changes (of arguments),
special (numpy and the library in values), untestable (what no judge can run), operations (what
both sides know); below them job (the message to a supervisor), values (data
between judge and program), frames (messages), compare, numbers, ending, processes, cgroup, linux
(system calls).
"""
