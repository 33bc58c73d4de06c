"""What a run leaves when it ends: summary.json, with the final model's facts.

Called by `launch`. The presence of summary.json marks a finished run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from reasonrl import __version__
from reasonrl.atomic import sync, write_atomic
from reasonrl.evaluation.best import describe_best
from reasonrl.evaluation.score import SuiteResult, as_line, by_suite
from reasonrl.recipe import Recipe
from reasonrl.run import checkpoint
from reasonrl.run.layout import MODEL, SUMMARY
from reasonrl.run.record import RunRecorder


def write_summary(
    directory: Path,
    recipe: Recipe,
    recorder: RunRecorder,
    *,
    steps: int,
    train_wall_s: float,
    threads: int,
) -> None:
    """Write summary.json from the record and the final model's file, which is flushed before."""
    for path in (*(directory / MODEL).iterdir(), directory / MODEL):
        sync(path)
    suites = {
        name: {"before": _suite_row(results[0]), "after": _suite_row(results[-1])}
        for name, results in by_suite(recorder.evaluations()).items()
    }
    summary = {
        "name": recipe.name,
        "seed": recipe.seed,
        "model": recipe.model.name,
        "steps": steps,
        "train_wall_s": round(train_wall_s, 3),
        "eval": suites[recipe.suite[0].name] if recipe.suite else {},
        "suites": suites,
        **({"best": best} if (best := _best_of(recipe, recorder)) else {}),
        "weights_sha256": checkpoint.digest(directory / MODEL / "model.safetensors", "sha256"),
        "threads": threads,
        "reasonrl": __version__,
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    write_atomic(directory / SUMMARY, json.dumps(summary, indent=2) + "\n")


def read_summary(directory: Path) -> Mapping[str, object] | None:
    """Return what summary.json holds, None for a run that is not finished."""
    path = directory / SUMMARY
    if not path.exists():
        return None
    summary: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return summary


def _best_of(recipe: Recipe, recorder: RunRecorder) -> dict[str, object] | None:
    suite = recipe.checkpoint.best
    return describe_best(recorder.evaluations(), suite) if suite else None


def _suite_row(result: SuiteResult) -> dict[str, object]:
    full = as_line(result)
    full.pop("problems")
    accuracy = full.pop("accuracy") or {"value": None, "ci95": None}
    return {"value": accuracy["value"], "ci95": accuracy["ci95"], **full}
