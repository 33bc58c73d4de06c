"""What decides the next step besides the engine's tensors. All of it is in every checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reasonrl.algo import entropy
from reasonrl.algo.entropy import EntropyState
from reasonrl.atomic import spoiled_part
from reasonrl.data.mixture import MixtureState
from reasonrl.data.sampler import SamplerState
from reasonrl.errors import CheckpointError, DataError
from reasonrl.recipe import Recipe


@dataclass(slots=True, kw_only=True)
class StageState:
    """How far the current stage has come.

    `number` counts the recipe's stages from 0; it equals their number when the run is finished.
    `sampler` is None before the stage's first step. `accuracies` has one value for each step of
    the stage, `last_scores` each problem's share of right answers at its last visit in the stage,
    and `dropped` the problems that were left out when the stage began.
    """

    number: int = 0
    step: int = 0
    sampler: SamplerState | MixtureState | None = None
    accuracies: list[float] = field(default_factory=list)
    last_scores: dict[str, float] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    def solved(self) -> list[str]:
        """Return the problems that were solved in every rollout of their last visit."""
        return [problem for problem, score in self.last_scores.items() if score == 1.0]


@dataclass(slots=True, kw_only=True)
class TrainState:
    """How far the run has come. `version` counts the updates of the weights."""

    step: int = 0
    version: int = 0
    entropy: EntropyState
    stage: StageState = field(default_factory=StageState)
    train_wall_s: float = 0.0


_STATE = TypeAdapter(TrainState)


def initial_state(recipe: Recipe) -> TrainState:
    """Return the state before the first step."""
    return TrainState(entropy=entropy.initial_state(recipe.stage[0].entropy.control))


def write_state(state: TrainState) -> dict[str, Any]:
    """Return the state as JSON data for a checkpoint."""
    written: dict[str, Any] = _STATE.dump_python(state, mode="json")
    return written


def read_state(data: Mapping[str, Any], *, where: str) -> TrainState:
    """Return the state that `write_state` wrote; CheckpointError for other data.

    A state of format 2 (release 0.1.0) is flat, and holds the sampler as JSON text.
    """
    try:
        nested = _nested(data) if "stage_step" in data else dict(data)
        state = _STATE.validate_python(nested)
        if write_state(state) != nested:
            raise DataError("it has other fields than a state of this version")
    except (ValidationError, KeyError, DataError) as error:
        fault = spoiled_part(error) if isinstance(error, ValidationError) else error
        raise CheckpointError(
            f"the state cannot be read: {fault}",
            where=where,
            remedy="resume with the version of reasonrl that wrote the checkpoint",
        ) from error
    return state


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state of format 2 in today's form; DataError for unknown fields."""
    known = {
        "step", "stage", "stage_step", "version", "coefficient", "gate_open", "start_nats",
        "sampler", "accuracies", "last_scores", "dropped", "train_wall_s",
    }  # fmt: skip
    if unknown := flat.keys() - known:
        raise DataError(f"unknown fields {sorted(unknown)}")
    sampler = SamplerState.from_json(flat["sampler"]) if flat["sampler"] else None
    return {
        "step": flat["step"],
        "version": flat["version"],
        "train_wall_s": flat["train_wall_s"],
        "entropy": {
            "c": flat["coefficient"],
            "is_open": flat["gate_open"],
            "start_nats": flat.get("start_nats"),
        },
        "stage": {
            "number": flat["stage"],
            "step": flat["stage_step"],
            "sampler": None if sampler is None else json.loads(sampler.to_json()),
            "accuracies": flat["accuracies"],
            "last_scores": flat["last_scores"],
            "dropped": flat["dropped"],
        },
    }
