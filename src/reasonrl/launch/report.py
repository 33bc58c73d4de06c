"""Write the pages of runs and of directories of runs again, from their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.report.overview import RunLine, render_overview
from reasonrl.report.run.write import write_page
from reasonrl.run.config import read_config, runs_in
from reasonrl.run.layout import OVERVIEW, PAGE, is_run
from reasonrl.run.record import RunRecorder
from reasonrl.run.status import read_status


def write_pages(path: Path) -> list[Path]:
    """Write the page of a run, or of each run in a directory and the overview; return all pages.

    Raises CheckpointError where there is no run.
    """
    if is_run(path):
        return [_page_of(path)]
    runs = runs_in(path)
    pages = [_page_of(run) for run in runs]
    overview = path / OVERVIEW
    write_atomic(overview, render_overview(path.resolve().name, _lines(runs)))
    return [overview, *pages]


def _page_of(run: Path) -> Path:
    write_page(run, read_config(run), RunRecorder(run))
    return run / PAGE


def _lines(runs: Sequence[Path]) -> list[RunLine]:
    lines = []
    for run in runs:
        recorder, status = RunRecorder(run), read_status(run)
        lines.append(
            RunLine(
                name=run.name,
                page=f"{run.name}/{PAGE}",
                phase=status.phase,
                step=status.step,
                total=status.total,
                metrics=recorder.metrics(),
                evaluations=recorder.evaluations(),
                findings=status.warnings,
            )
        )
    return lines
