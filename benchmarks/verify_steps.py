"""The time of each step of a verdict at 10^4, 10^5 and 10^6 characters.

A step that grows more than 12-fold when its text grows tenfold is worse than n log n. Each step is
given the texts that would be worst for a careless version of it; the slowest text of each size
counts. Steps that refuse long texts take the same time at every size.

    python -m benchmarks.verify_steps [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from benchmarks.common import Row, describe_machine, print_table
from reasonrl.types import Kind, Task, VerifyItem
from reasonrl.verify.code.source import last_program
from reasonrl.verify.extract import answer_part, final_answer
from reasonrl.verify.math.golds import read_golds
from reasonrl.verify.prose import last_number
from reasonrl.verify.questions import Asked, compare, read_code, read_item
from reasonrl.verify.sandbox.compare import same_output

SIZES = (10_000, 100_000, 1_000_000)
MOST_GROWTH = 12.0
# Times below this are the clock's own noise.
LEAST_S = 0.002
PIECES = (
    "\\boxed{", "\\boxed", "{", "}", "\\boxed{1} or ", "<think>", "</think>", "```\n",
    "```python\n",
    "```python print(1)```\n", "~~~\n", '"""\n```\n', "7", "7,", "7 ", "-7", "x^", "1/", "\n", " ",
    "(", "[", "0.", "\\frac", "a=", "①", "\u200b", "e\u0301", "'", "$", "&lt;", "**", "\\text{",
    "1 2/",
)  # fmt: skip
OUTPUTS = ("7", "7 ", "7\n", "0.5 ", "x", "1e9 ", "\n", " \n", "-", "00", "é")

Step = Callable[[str], object]


def item(response: str, *, key: str = "5", kind: Kind = Kind.MATH) -> VerifyItem:
    return VerifyItem(task=Task(kind=kind, answer=key), response=response)


def judge(response: str) -> None:
    asked = read_item(item(response), unboxed=True)
    if isinstance(asked, Asked):
        compare(asked.golds, asked.answer)


def judge_boxed(text: str) -> None:
    judge(f"\\boxed{{{text}}}")


def program(response: str) -> None:
    tests = json.dumps({"inputs": ["1"], "outputs": ["1"]})
    read_code(item(response, key=tests, kind=Kind.CODE))


STEPS: dict[str, tuple[Step, Sequence[str]]] = {
    "find the graded part": (answer_part, PIECES),
    "find the boxes of the answer": (final_answer, PIECES),
    "find the final number": (last_number, PIECES),
    "find the program": (last_program, PIECES),
    "read a key": (read_golds.__wrapped__, PIECES),
    "read and compare a response": (judge, PIECES),
    "read and compare a boxed answer": (judge_boxed, PIECES),
    "read a program and its tests": (program, PIECES),
    "compare equal outputs": (lambda text: same_output(text, text + " "), OUTPUTS),
    "compare other outputs": (lambda text: same_output(text, text[:-1] + "1"), OUTPUTS),
}


def slowest(step: Step, pieces: Sequence[str], size: int, repeats: int) -> tuple[float, str]:
    """Return the CPU-seconds of the slowest text of a size, and the piece that it repeats."""
    worst, piece_of_worst = 0.0, ""
    for piece in pieces:
        text = (piece * (size // len(piece) + 1))[:size]
        best = min(_cpu(step, text) for _ in range(repeats))
        if best > worst:
            worst, piece_of_worst = best, piece
    return worst, piece_of_worst


def _cpu(step: Step, text: str) -> float:
    start = time.process_time()
    step(text)
    return time.process_time() - start


def main() -> int:
    """Time all steps and print the table; 1 if a step grows too fast."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    rows: list[Row] = []
    is_bounded = True
    for name, (step, pieces) in STEPS.items():
        times = [slowest(step, pieces, size, given.repeats) for size in SIZES]
        seconds = [max(worst, LEAST_S) for worst, _ in times]
        growth = max(b / a for a, b in pairwise(seconds))
        is_bounded = is_bounded and growth <= MOST_GROWTH
        shown = {f"{size:,}": f"{worst:.4f}" for size, (worst, _) in zip(SIZES, times, strict=True)}
        rows.append({"step": name, **shown, "growth": f"{growth:.1f}", "of": repr(times[-1][1])})
    print(describe_machine())
    print_table(rows)
    return int(not is_bounded)


if __name__ == "__main__":
    sys.exit(main())
