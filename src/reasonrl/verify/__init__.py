"""Text in, `Verdict` out. Importing this package loads neither sympy nor math-verify nor torch.

Read top-down: verifier (the order of the decisions), net (no input raises), questions (what is left
for a worker), extract and prose (the answer in a response), finding (the result of one comparison),
math/ (answers that need no worker; see there), pool (worker processes), math/worker (algebra in a
worker), code/ and sandbox/ (programs); then keys (keys that no reader knows), explain (the steps to
one verdict), consensus (equal answers of one problem), batch_file, batch_rows and batch_output
(JSONL files), and default (one verifier for the whole process).
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
