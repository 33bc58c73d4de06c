"""Judge programs: extract the code, read the task's tests, have a sandbox run them, give a verdict.

Nothing of a program runs in this process. Read top-down: verdict (the order of decisions), tests
(the four shapes), pool (supervisor processes), isolation (what this machine gives, and the filter
of system calls). What runs on the other side is in `reasonrl.verify.sandbox`.
"""
