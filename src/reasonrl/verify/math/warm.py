"""Load the math libraries and use them once, before the fork server forks its first worker.

The first question takes the libraries a third of a second, in which they build tables; workers
inherit the tables. Only `verify.pool` names this module.
"""

from reasonrl.verify.math.worker import judge

judge((r"\frac{\sqrt{2}}{2} + x",), r"2^{-1/2} + x")
judge((r"(1, 2)",), r"x \in (1, 2)")
