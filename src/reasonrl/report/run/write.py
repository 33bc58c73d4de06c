"""Write a run's page, its picture and its entropy profile into the run's directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.recipe import Recipe
from reasonrl.report.run.curves import charts_svg
from reasonrl.report.run.head import Standing
from reasonrl.report.run.page import render_page
from reasonrl.report.run.profile import EntropyProfile, read_profile
from reasonrl.report.run.samples import read_samples
from reasonrl.run.layout import CONFIG, PAGE, PICTURE, PROFILE
from reasonrl.run.prescriptions import examine_run
from reasonrl.run.record import RunRecorder
from reasonrl.run.sessions import read_sessions
from reasonrl.run.status import read_status
from reasonrl.run.summary import read_summary


def write_profile(directory: Path, word_of: Callable[[int], str]) -> None:
    """Write the entropy profile of the run, if it has rollouts."""
    profile = read_profile(directory, word_of)
    if profile is not None:
        write_atomic(directory / PROFILE, profile.model_dump_json(indent=1) + "\n")


def write_page(
    directory: Path,
    recipe: Recipe,
    recorder: RunRecorder,
    *,
    phase: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Write the run's page and its picture, with the steps made so far.

    `phase` is given by the process that trains, for the files cannot say how it will end. `notes`
    come first on the page.
    """
    metrics, evaluations = recorder.metrics(), recorder.evaluations()
    status, found = read_status(directory), examine_run(directory)
    page = render_page(
        title=recipe.name,
        metrics=metrics,
        evaluations=evaluations,
        summary=read_summary(directory),
        samples=read_samples(directory, steps=[one.finding.rollouts or 0 for one in found]),
        profile=_read_profile(directory / PROFILE),
        found=found,
        notes=[*notes, *status.troubles],
        standing=Standing(phase=phase or status.phase, total=status.total, left_s=status.left_s),
        sessions=read_sessions(directory),
        recipe=(directory / CONFIG).read_text(encoding="utf-8"),
    )
    write_atomic(directory / PAGE, page)
    write_atomic(directory / PICTURE, charts_svg(metrics, evaluations))


def _read_profile(path: Path) -> EntropyProfile | None:
    if not path.exists():
        return None
    return EntropyProfile.model_validate_json(path.read_text(encoding="utf-8"))
