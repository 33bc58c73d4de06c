"""False verdicts of the lab's rule: how often it decides wrongly where there is nothing to find.

    python -m benchmarks.false_verdicts docs/lab/results

Two ways. Simulated: differences from a normal distribution around 0, for some numbers of seeds and
spreads. A/A: the kept runs of one arm against the same arm, other seeds; no two seeds of the arm
stand in two pairs of a study. A verdict is false where it says that two arms differ: "reproduced"
for a claim that one arm is above the other, and "the opposite"; and "not reproduced" for a claim
that they are alike. Goal: at most 5 % of the verdicts on each kind of claim.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.common import DocstringHelp, report
from reasonrl.algo.stats import t95
from reasonrl.studies.claims import Claim, Sign, score
from reasonrl.studies.kept import KeptRun, read_kept
from reasonrl.studies.measures import mean, standard_error
from reasonrl.studies.setting import on_miniatures
from reasonrl.studies.verdicts import Edge, Truth, is_refuted, is_reproduced, is_small

SEEDS = (3, 5, 8, 12, 24, 36)
DRAWS = 20_000
STUDIES = 200  # A/A studies of each arm and measure


def is_false(claim: Claim, low: Edge, high: Edge) -> Truth:
    """Return whether intervals around a difference of 0 say that there is one."""
    is_decided = is_reproduced(claim, low, high) | is_refuted(claim, low, high)
    return is_decided & ~is_small(claim, low, high)


def simulated() -> Iterator[Mapping[str, str | int | float]]:
    rng = np.random.default_rng(0)
    for relation in ("a above b", "a alike b"):
        claim = score("", relation)
        for seeds in SEEDS:
            worst = 0.0
            for spread in claim.within * np.array([0.2, 0.5, 1, 2, 4]):
                draws = spread * rng.standard_normal((DRAWS, seeds))
                half = t95(seeds - 1) * draws.std(axis=1, ddof=1) / np.sqrt(seeds)
                center = draws.mean(axis=1)
                worst = max(worst, float(np.mean(is_false(claim, center - half, center + half))))
            yield {"studies": f"simulated: {relation}", "seeds": seeds, "false at most": worst}


def a_against_a(kept: list[KeptRun]) -> Iterator[Mapping[str, str | int | float]]:
    """Yield a line for each kind of claim: random halves of an arm's seeds against each other."""
    rng = np.random.default_rng(0)
    false: dict[str, list[bool]] = defaultdict(list)
    for world in sorted({run.world for run in kept}):
        of_arm: dict[str, list[KeptRun]] = defaultdict(list)
        for run in kept:
            if run.world == world:
                of_arm[run.arm].append(run)
        claims = [one for study in on_miniatures(world).studies.values() for one in study.claims]
        for claim in (one for one in claims if one.other):
            values = [claim.measure.take(run.record) for run in of_arm.get(claim.other, ())]
            values = [value for value in values if np.isfinite(value)]
            half = len(values) // 2
            if half < 3:
                continue
            for _ in range(STUDIES):
                order = rng.permutation(len(values))[: 2 * half]
                differences = [
                    values[a] - values[b] for a, b in zip(order[:half], order[half:], strict=True)
                ]
                wide = t95(half - 1) * standard_error(differences)
                center = mean(differences)
                kind = "alike" if claim.sign is Sign.ALIKE else "above, below"
                false[kind].append(bool(is_false(claim, center - wide, center + wide)))
    for kind, found in sorted(false.items()):
        yield {"studies": f"A/A: {kind}", "number": len(found), "false": float(np.mean(found))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("results", type=Path, nargs="?", help="a directory of kept results")
    results = parser.parse_args().results
    report(list(simulated()), None)
    if results is not None:
        lines = list(a_against_a(read_kept(results)))
        if not lines:
            raise SystemExit("A/A: no arm has six seeds there")
        report(lines, None)


if __name__ == "__main__":
    main()
