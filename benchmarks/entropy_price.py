"""What does a nat of entropy buy? The picture of docs/findings/entropy-price.md.

    reasonrl study entropy-price --judge docs/lab/results     # the verdicts
    python -m benchmarks.entropy_price docs/lab/results docs/findings/entropy-price.svg

Each curve is the held-out score at which the runs of an arm come down to an entropy, the mean over
seeds with its 95 % interval. It ends where one of the runs came no further down.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.common import DocstringHelp
from reasonrl.atomic import write_atomic
from reasonrl.report.drawing.chart import Chart
from reasonrl.report.drawing.picture import charts_picture
from reasonrl.studies.curves import price_chart, runs_of
from reasonrl.studies.kept import KeptRun, read_kept
from reasonrl.studies.results import results_of_kept
from reasonrl.studies.setting import on_miniatures

STUDY = "entropy-price"
ARMS = ("on-policy", "on-policy-small-4", "minibatches-2", "minibatches-4", "reuse-4")
TITLES = {"chains": "Chains", "search": "Search"}


def charts_of(world: str, kept: Sequence[KeptRun]) -> Iterator[Chart]:
    """Yield the chart of a world, if it has runs."""
    results, _ = results_of_kept(on_miniatures(world), kept)
    for result in (one for one in results if one.study.name == STUDY):
        arms = [(arm, runs_of(arm, result.records)) for arm in result.arms if arm.name in ARMS]
        chart = price_chart([(arm, runs) for arm, runs in arms if runs], title=TITLES[world])
        yield replace(chart, unit="avg@2 where entropy has come down to")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("results", type=Path, help="a directory of kept results")
    parser.add_argument("picture", type=Path, help="the file to write")
    given = parser.parse_args()
    kept = read_kept(given.results)
    charts = [chart for world in TITLES for chart in charts_of(world, kept)]
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(given.picture, charts_picture(charts, height=380))
    print(f"written: {given.picture}")


if __name__ == "__main__":
    main()
