"""Rewards as components: what a component gets, shipped formulas, and a user's own functions.

Read `record` first, then `shipped` (the formulas), `total`, and `scoring`, where they meet. `pool`
runs a user's function in processes of its own, whose other end is `worker`. `judge` asks a language
model through `endpoint` and keeps its votes in a `ledger`; `curation` uses both for problems. Knows
no recipe and no engine; `launch.rewards` makes components of the `[[reward]]` tables.
"""

from reasonrl.reward.record import ProblemRecord, RolloutRecord

__all__ = ["ProblemRecord", "RolloutRecord"]
