"""What a run leaves when it ends: the final model's facts, summary.json, the page, the picture.

Called by `launch`. The presence of summary.json marks a finished run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from reasonrl import __version__, checkpoint
from reasonrl.atomic import write_atomic
from reasonrl.config import Recipe
from reasonrl.evaluation.score import SuiteResult, by_suite
from reasonrl.record import RunRecorder
from reasonrl.report.curves import charts_svg
from reasonrl.report.page import render_page
from reasonrl.report.profile import EntropyProfile, read_profile
from reasonrl.report.samples import read_samples
from reasonrl.train_state import TrainState

MODEL, SUMMARY, PAGE, PICTURE = "model", "summary.json", "report.html", "curves.svg"
PROFILE = "entropy.json"


def write_summary(
    directory: Path, recipe: Recipe, recorder: RunRecorder, state: TrainState, *, threads: int
) -> None:
    """Write summary.json from the record and the final model's file."""
    suites = {
        name: {"before": _suite_row(results[0]), "after": _suite_row(results[-1])}
        for name, results in by_suite(recorder.evaluations()).items()
    }
    summary = {
        "name": recipe.name,
        "seed": recipe.seed,
        "model": recipe.model.name,
        "steps": state.step,
        "train_wall_s": round(state.train_wall_s, 3),
        "eval": suites[recipe.suite[0].name] if recipe.suite else {},
        "suites": suites,
        "weights_sha256": checkpoint.digest(directory / MODEL / "model.safetensors", "sha256"),
        "threads": threads,
        "reasonrl": __version__,
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    write_atomic(directory / SUMMARY, json.dumps(summary, indent=2) + "\n")


def write_profile(directory: Path, word_of: Callable[[int], str]) -> None:
    """Write where the entropy of the run's rollouts sits, if there are any."""
    profile = read_profile(directory, word_of)
    if profile is not None:
        write_atomic(directory / PROFILE, profile.model_dump_json(indent=1) + "\n")


def write_page(directory: Path, recipe: Recipe, recorder: RunRecorder) -> None:
    """Write the run's page and its picture, as far as the run has come."""
    metrics, evaluations = recorder.metrics(), recorder.evaluations()
    page = render_page(
        title=recipe.name,
        metrics=metrics,
        evaluations=evaluations,
        summary=_read_summary(directory / SUMMARY),
        samples=read_samples(directory),
        profile=_read_profile(directory / PROFILE),
    )
    write_atomic(directory / PAGE, page)
    write_atomic(directory / PICTURE, charts_svg(metrics, evaluations))


def _read_profile(path: Path) -> EntropyProfile | None:
    if not path.exists():
        return None
    return EntropyProfile.model_validate_json(path.read_text(encoding="utf-8"))


def _read_summary(path: Path) -> Mapping[str, object] | None:
    if not path.exists():
        return None
    summary: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return summary


def _suite_row(result: SuiteResult) -> dict[str, object]:
    full = asdict(result)
    full.pop("problems")
    accuracy = full.pop("accuracy")
    return {"value": accuracy["value"], "ci95": accuracy["ci95"], **full}
