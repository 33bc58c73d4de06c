"""Load the math libraries and use them once: what the fork server does before it forks a worker.

Their first question builds tables for a third of a second; workers inherit the tables. Only
`pool` names this module.
"""

from reasonrl.verify.math.worker import judge

judge((r"\frac{\sqrt{2}}{2} + x",), r"2^{-1/2} + x")
judge((r"(1, 2)",), r"x \in (1, 2)")
