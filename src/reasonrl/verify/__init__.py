"""Text in, `Verdict` out. Importing this loads neither sympy nor math-verify nor torch.

Read top-down: verifier (the order of decisions), extract, answer (what needs no worker), words,
number, math/compare (reading and values), bound (size guards), pool (killable workers), math/worker
(algebra); then explain (the ladder of one verdict) and batch_file (JSONL).
"""

from reasonrl.types import VerifyItem
from reasonrl.verify.batch_file import VerifyReport, verify_file
from reasonrl.verify.code.isolation import Isolation
from reasonrl.verify.code.verdict import CodeOptions
from reasonrl.verify.default import averify, verify, verify_batch
from reasonrl.verify.explain import Explanation, Rung, explain
from reasonrl.verify.verifier import DEFAULT_DEADLINE_S, Verifier

__all__ = [
    "DEFAULT_DEADLINE_S",
    "CodeOptions",
    "Explanation",
    "Isolation",
    "Rung",
    "Verifier",
    "VerifyItem",
    "VerifyReport",
    "averify",
    "explain",
    "verify",
    "verify_batch",
    "verify_file",
]
