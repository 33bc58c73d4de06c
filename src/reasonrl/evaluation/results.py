"""The results of an evaluation: `results.json`, with every model, suite, problem and comparison."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reasonrl.atomic import spoiled_part, write_atomic
from reasonrl.errors import CheckpointError
from reasonrl.evaluation.paired import Gain
from reasonrl.evaluation.score import SuiteResult, as_line
from reasonrl.recipe import NAME

RESULTS = "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResults:
    """The results of one model; `weights` is the hash of its weights."""

    name: str
    label: str
    weights: str
    suites: tuple[SuiteResult, ...] = ()

    def suite(self, name: str) -> SuiteResult | None:
        return next((result for result in self.suites if result.suite == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The gain in avg@k from one model to another on one suite, and its verdict in words."""

    suite: str
    before: str
    after: str
    gain: Gain
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResults:
    """An evaluation: its recipe as a plain table, and its results."""

    reasonrl: str
    recipe: dict[str, Any]
    models: tuple[ModelResults, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    def model(self, name: str) -> ModelResults | None:
        return next((model for model in self.models if model.name == name), None)


_RESULTS = TypeAdapter(EvalResults)


def read_results(directory: Path) -> EvalResults | None:
    """Return the results in a directory, None if it holds none; CheckpointError if unreadable."""
    path = directory / RESULTS
    if not path.exists():
        return None
    try:
        results = _RESULTS.validate_json(path.read_bytes())
        names = [suite["name"] for suite in results.recipe["suite"]]
        names += [model.label for model in results.models]
        names += [suite.suite for model in results.models for suite in model.suites]
        if bad := [name for name in names if not re.fullmatch(NAME, name)]:
            raise ValueError(f"a name that no evaluation gives: {bad[0]!r}")
    except (ValueError, KeyError, TypeError) as error:
        what = spoiled_part(error) if isinstance(error, ValidationError) else str(error)
        raise CheckpointError(
            f"not the results of an evaluation: {what}",
            where=str(path),
            remedy="delete it; the same command makes it again from the samples",
        ) from error
    return results


def write_results(directory: Path, results: EvalResults) -> None:
    """Write results.json, whole or not at all."""
    values = asdict(results)
    for model, plain in zip(results.models, values["models"], strict=True):
        plain["suites"] = [as_line(suite) for suite in model.suites]
    write_atomic(directory / RESULTS, json.dumps(values, indent=1) + "\n")
