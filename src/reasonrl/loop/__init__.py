"""MAGIC, the method of the report, as a loop. Read this room first.

Read in this order: trainer (one step, eq. 3.1), learn (updates and entropy control), batch and
variants (what a learner is given), state (what decides the next step), metrics (the numbers of a
step), clock; then pipelined (the same steps on groups that were sampled ahead).
"""
