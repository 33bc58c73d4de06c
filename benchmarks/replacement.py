"""Print the seconds from a killed verifier worker to the next answer of its successor.

A script of its own, as small as a launcher is: a worker imports the main module of its caller, so
the imports of a large script would be measured instead. Called by `benchmarks.verify_math`.
"""

from __future__ import annotations

import time

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier

ROOT = Task(kind=Kind.MATH, answer=r"\sqrt{2}")
STUCK = r"\boxed{" + "(" * 12 + r"3^{1/2} + 0\hbar" + ")" * 12 + "}"


def main() -> None:
    """Kill a worker by a short deadline, three times."""
    with Verifier() as verifier:
        verifier.verify(ROOT, r"\boxed{1 + \hbar}")
        for number in range(2, 5):
            assert verifier.verify(ROOT, STUCK, deadline_s=0.05).status is Status.TIMEOUT
            start = time.perf_counter()
            verifier.verify(ROOT, rf"\boxed{{{number} + \hbar}}")
            print(f"{time.perf_counter() - start:.3f}")


if __name__ == "__main__":
    main()
