"""Text in, `Verdict` out. Importing this loads neither sympy nor math-verify nor torch.

Read top-down: verifier (the order of decisions), extract, answer (normalization, exact cases),
number, bound (size guards), pool (killable workers), math/worker (algebra), batch_file (JSONL).
"""

from reasonrl.verify.batch_file import VerifyReport, verify_file
from reasonrl.verify.default import averify, verify, verify_batch
from reasonrl.verify.verifier import DEFAULT_DEADLINE_S, Verifier, VerifyItem, supported_kinds

__all__ = [
    "DEFAULT_DEADLINE_S",
    "Verifier",
    "VerifyItem",
    "VerifyReport",
    "averify",
    "supported_kinds",
    "verify",
    "verify_batch",
    "verify_file",
]
