"""Judge programs: find the code, read the task's tests, run them in a sandbox, return a verdict.

No part of a program runs in this process. Read top-down: verdict (the order of decisions), source
(the program in a response), tests (the four shapes of test sets), json_values (the values in them),
pool (supervisor processes), isolation (the levels that this machine allows, and the filter of
system calls). The processes on the other side are in `reasonrl.verify.sandbox`.
"""
