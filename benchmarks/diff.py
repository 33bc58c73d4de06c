"""Does `reasonrl diff` tell seeds from settings? Pairs of three runs against three.

    python -m benchmarks.diff [--part chosen|held-out] [--out runs/diff-bench] [--workers 2]

Twenty pairs differ in seeds alone: ten at a learning rate of 1e-4, ten at 3e-4. Twenty pairs have
rates that are three times apart: ten have 1e-4 and 3e-4, ten 3e-4 and 9e-4. No two pairs of a kind
share a run. The verdict is that of `reasonrl.diagnose.diff`, which looks at what was measured and
not at the recipes. Goals: at most 1 of the first twenty is called different, and at least 16 of
the second. What a measure is and the level were chosen on the part "chosen"; the score is on the
part "held-out", which has a miniature and seeds of its own. About 40 minutes on two cores a part; a
rerun only makes what is missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks.common import DocstringHelp, report
from benchmarks.lab_runs import Planned, lab_recipe, make_all
from reasonrl.diagnose.diff import diff
from reasonrl.lab.miniature import Spec, directory_of, ensure
from reasonrl.terminal import Console

MINIATURES = {"chosen": 4, "held-out": 3}
FIRST_SEED = {"chosen": 1001, "held-out": 2001}
RATES = ("1e-4", "3e-4", "9e-4")
N_PAIRS = 10
"""Pairs of a kind at each of the two lower rates."""

RUNS_A_SIDE = 3
STEPS = 40


def side(out: Path, part: str, rate: str, number: int) -> list[Planned]:
    """Return the runs of a side, given its rate and its number among the sides of that rate."""
    folder, miniature = out / part, directory_of(Spec(), MINIATURES[part])
    first = FIRST_SEED[part] + RUNS_A_SIDE * number
    return [
        Planned(
            directory=folder / f"rate-{rate}-seed-{seed}",
            recipe=lab_recipe(f"rate-{rate}", miniature, [STEPS]),
            overrides=(f"seed={seed}", f"update.learning_rate={rate}"),
        )
        for seed in range(first, first + RUNS_A_SIDE)
    ]


Pair = tuple[str, Sequence[Planned], Sequence[Planned]]
"""What the sides of a pair are called, and their runs."""


def same_pairs(out: Path, part: str) -> Iterator[Pair]:
    """Yield pairs that differ in seeds alone."""
    for rate in RATES[:2]:
        for n in range(N_PAIRS):
            yield rate, side(out, part, rate, 2 * n), side(out, part, rate, 2 * n + 1)


def apart_pairs(out: Path, part: str) -> Iterator[Pair]:
    """Yield pairs whose rates are three times apart."""
    for lower, higher in pairwise(RATES):
        for n in range(N_PAIRS):
            name = f"{lower}, {higher}"
            yield name, side(out, part, lower, 2 * n), side(out, part, higher, 2 * n + 1)


def called(pairs: Sequence[Pair]) -> int:
    """Print what is said of pairs; return how many are called different."""
    rows, n_different = [], 0
    for name, a, b in pairs:
        if not all(run.is_done for run in (*a, *b)):
            continue
        found = diff([run.directory for run in a], [run.directory for run in b])
        n_different += bool(found.shown)
        rows.append({"rates": name, "called": "; ".join(one.sentence for one in found.shown)})
    report(rows, None)
    print(f"{n_different} of {len(rows)} called different\n", flush=True)
    return n_different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("--out", type=Path, default=Path("runs/diff-bench"))
    parser.add_argument("--part", choices=list(MINIATURES), default="held-out")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    given.out = given.out.resolve()
    ensure(Spec(), MINIATURES[given.part], Console())
    same = list(same_pairs(given.out, given.part))
    apart = list(apart_pairs(given.out, given.part))
    runs = {run.name: run for _, a, b in (*same, *apart) for run in (*a, *b)}
    make_all(list(runs.values()), given.workers)
    print("Pairs that differ in seeds alone (goal: at most 1 of 20):")
    called(same)
    print("Pairs whose rates are three times apart (goal: at least 16 of 20):")
    called(apart)


if __name__ == "__main__":
    main()
