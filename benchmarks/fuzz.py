"""An hour of random input for the verifiers, with the net off; `make fuzz` runs it.

Prints the number of executions, each exception with the input that raised it, and the slowest
input. `--plant` first puts three old faults back, one after the other, and says how many executions
found each.

    python -m benchmarks.fuzz [--seconds 3600] [--seed 0] [--plant]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.fuzzing import Report, fuzz

from benchmarks.common import describe_machine, print_table
from reasonrl.verify.math import bound, expressions, parse

SHOWN_CHARS = 300
PLANT_SECONDS = 300


@contextmanager
def replaced(owner: type, name: str, faulty: Callable[..., object]) -> Iterator[None]:
    """Put an old method in the place of the mended one."""
    mended = getattr(owner, name)
    setattr(owner, name, faulty)
    parse.parse.cache_clear()
    try:
        yield
    finally:
        setattr(owner, name, mended)
        parse.parse.cache_clear()


def digits_of_unicode(walk: bound._Walk, mark: str) -> float:
    """The fault: `①`.isdigit() is true, and int("①") raises."""
    if mark[:1].isdigit():
        walk._at += 1
        return float(len(str(int(mark.replace(".", "")))))
    return MENDED_BOUND(walk, mark)


def empty_system(reader: parse._AnswerReader) -> object:
    """The fault: an environment without a line has no first line."""
    lines = []
    while not reader.skip("\\end"):
        lines.append(reader._statements())
        reader.skip("\\\\")
    reader.raw_argument()
    return lines[0]


def no_depth(reader: expressions.ExpressionReader, by: int) -> None:
    """The fault: nothing counts how deep factors lie within factors."""


MENDED_BOUND = bound._Walk._bound_of
PLANTED = {
    "digits that are digits only to Unicode": (bound._Walk, "_bound_of", digits_of_unicode),
    "an empty environment": (parse._AnswerReader, "_system", empty_system),
    "unbounded depth": (expressions.ExpressionReader, "_descend", no_depth),
}


def plant(seed: int) -> bool:
    """Put each old fault back and print after how many executions it was found."""
    rows = []
    for name, (owner, method, faulty) in PLANTED.items():
        with replaced(owner, method, faulty):
            found, executions = Report(), 0
            while not found.exceptions and executions < 2_000_000:
                found = fuzz(seconds=PLANT_SECONDS, seed=seed + executions, most=1_000)
                executions += found.executions
        what = next(iter(found.exceptions), "nothing")
        rows.append({"old fault": name, "found": what, "executions": executions})
    print_table(rows)
    return all(row["found"] != "nothing" for row in rows)


def main() -> int:
    """Run the fuzzer, print what it found, and return 1 if that is anything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3_600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plant", action="store_true", help="put old faults back first")
    given = parser.parse_args()
    print(describe_machine())
    if given.plant and not plant(given.seed):
        return 1
    report = fuzz(seconds=given.seconds, seed=given.seed)
    print_table(
        [{"executions": report.executions, "exceptions": len(report.exceptions),
          "slowest, CPU seconds": f"{report.slowest_s:.3f}"}]
    )  # fmt: skip
    print(f"slowest input: {report.slowest[:SHOWN_CHARS]}")
    for place, shown in report.exceptions.items():
        print(f"{place}\n    {shown}")
    return int(bool(report.exceptions))


if __name__ == "__main__":
    sys.exit(main())
