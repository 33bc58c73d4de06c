"""Print the seconds from the kill of a verifier worker to the first answer of its replacement.

This is a separate small script because a worker imports the main module of its caller: the imports
of a large script would dominate the time. Called by `benchmarks.verify_math`.
"""

from __future__ import annotations

import time

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier

ROOT = Task(kind=Kind.MATH, answer=r"\sqrt{2}")
# The key, and not the answer, takes its time: an answer would be refused before the deadline.
STUCK = Task(kind=Kind.MATH, answer="(" * 12 + r"3^{1/2} + 0\hbar" + ")" * 12)


def main() -> None:
    """Make a worker exceed a short deadline three times, so that it is killed."""
    with Verifier() as verifier:
        verifier.verify(ROOT, r"\boxed{1 + \hbar}")
        for number in range(2, 5):
            assert verifier.verify(STUCK, r"\boxed{5}", deadline_s=0.05).status is Status.TIMEOUT
            start = time.perf_counter()
            verifier.verify(ROOT, rf"\boxed{{{number} + \hbar}}")
            print(f"{time.perf_counter() - start:.3f}")


if __name__ == "__main__":
    main()
