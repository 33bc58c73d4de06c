"""Is a collapse of entropy announced in time? The warning, scored on the lab's kept runs.

    python -m benchmarks.collapse docs/lab/results --first-seed 101

A run has collapsed when its entropy is at or below a quarter of its start for three steps; the
warning is announced in time 1 to 30 steps before (`reasonrl.diagnosis.collapse`). Goals for runs
without an entropy term: at least 90 % of the collapses announced, at most 20 % of the warnings
false. The second table is what is possible: the level to which entropy must have fallen is varied.
A lower level warns later and is right more often.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.common import DocstringHelp, report
from reasonrl.diagnosis.collapse import LEVEL, judge_warning, score_warnings
from reasonrl.studies.kept import KeptRun, read_kept

LEVELS = (0.5, 0.45, 0.4, 0.375, 0.35, 0.325, 0.3, 0.275)


def line(runs: Sequence[KeptRun], level: float) -> Mapping[str, str | int | float]:
    """Return the score of the warning over some runs."""
    entropies = [run.record.column("entropy/nats") for run in runs]
    score = score_warnings([judge_warning(nats, level=level) for nats in entropies])
    return {
        "level": level,
        "runs": score.runs,
        "collapsed": score.collapsed,
        "announced": f"{score.announced} ({score.announced / max(1, score.collapsed):.0%})",
        "steps ahead": "-" if score.median_lead is None else score.median_lead,
        "false": f"{score.false} of {score.warned} ({score.false / max(1, score.warned):.0%})",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("results", type=Path, help="a directory of kept results")
    parser.add_argument("--first-seed", type=int, default=0, help="smaller seeds are left out")
    given = parser.parse_args()
    runs = [run for run in read_kept(given.results) if run.seed >= given.first_seed]
    free = [run for run in runs if not run.record.has_entropy_term]
    held = [run for run in runs if run.record.has_entropy_term]
    lines = [
        {"world": world, "entropy term": term, **line(chosen, LEVEL)}
        for world in sorted({run.world for run in runs})
        for term, group in (("no", free), ("yes", held))
        if (chosen := [run for run in group if run.world == world])
    ]
    report(lines, None)
    report([line(free, level) for level in LEVELS], None)


if __name__ == "__main__":
    main()
