"""What an evaluation leaves: `results.json`, with every model, suite, problem and comparison.

Called by `launch`, which fills it, and by `report` and `export`, which show it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reasonrl.algo.paired import Gain
from reasonrl.errors import CheckpointError
from reasonrl.record import write_atomic
from reasonrl.score import SuiteResult

RESULTS = "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResults:
    """Hold what was found of one model; `weights` is a hash of them."""

    name: str
    label: str
    weights: str
    suites: tuple[SuiteResult, ...] = ()

    def suite(self, name: str) -> SuiteResult | None:
        return next((result for result in self.suites if result.suite == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Hold the gain in avg@k from one model to another on one suite, and its plain verdict."""

    suite: str
    before: str
    after: str
    gain: Gain
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResults:
    """Hold an evaluation. `problems` has a hash of each suite's, with prompts and answers."""

    reasonrl: str
    recipe: dict[str, Any]
    problems: dict[str, str] = field(default_factory=dict)
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
        return _RESULTS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise CheckpointError(
            f"not the results of an evaluation: {error.errors()[0]['msg']}",
            where=str(path),
            remedy="delete it to have it made again from the samples",
        ) from error


def write_results(directory: Path, results: EvalResults) -> None:
    """Write results.json, whole or not at all."""
    write_atomic(directory / RESULTS, json.dumps(asdict(results), indent=1) + "\n")
