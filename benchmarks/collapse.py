"""Is a collapse of entropy announced in time? The warning, scored on the lab's runs.

    reasonrl study n-sgd stale-data temperature batch-size group-size data-mixture kl multi-stage \\
        --seeds 3 --first-seed 21 --out runs/lab-warning
    python -m benchmarks.collapse runs/lab-warning

A run has collapsed when its entropy is at or below a quarter of its start for three steps; the
warning is announced in time 1 to 30 steps before (`reasonrl.diagnosis.collapse`). Goals for runs
without an entropy term: at least 76 % of the collapses announced, at most 33 % of the warnings
false, one of them strictly better. The last columns count the runs in which the doctor says so: it
says nothing where entropy is spent on right answers.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from benchmarks.common import DocstringHelp, report
from reasonrl.diagnosis.collapse import judge_warning, score_warnings
from reasonrl.run.layout import SUMMARY
from reasonrl.run.prescriptions import examine_run
from reasonrl.run.record import RunRecorder


def line(name: str, runs: list[Path]) -> Mapping[str, str | int | float]:
    """Return the score of the warning over some runs, and what the doctor says of them."""
    judged, told = [], {"entropy-falls": 0, "entropy-collapse": 0}
    for run in runs:
        numbers = [row.get("entropy/nats") for row in RunRecorder(run).metrics()]
        judged.append(judge_warning([float(one) for one in numbers if isinstance(one, float)]))
        for rule in {one.finding.rule for one in examine_run(run)} & told.keys():
            told[rule] += 1
    score = score_warnings(judged)
    return {
        "runs": f"{len(runs)} {name}",
        "collapsed": score.collapsed,
        "announced": f"{score.announced} ({score.announced / max(1, score.collapsed):.0%})",
        "steps ahead": "-" if score.median_lead is None else score.median_lead,
        "false": f"{score.false} of {score.warned} ({score.false / max(1, score.warned):.0%})",
        **{f"doctor: {rule}": n for rule, n in told.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("studies", type=Path, help="the directory of a study")
    runs = sorted(parser.parse_args().studies.glob(f"runs/*/{SUMMARY}"))
    free: list[Path] = []
    held: list[Path] = []
    for path in runs:
        weights = [row.get("entropy/alpha") for row in RunRecorder(path.parent).metrics()]
        (held if any(weights) else free).append(path.parent)
    report([line("without an entropy term", free), line("with an entropy term", held)], None)


if __name__ == "__main__":
    main()
