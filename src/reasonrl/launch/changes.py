"""What a run that has begun may change, and why everything else stays."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonrl.errors import ConfigError
from reasonrl.recipe import Recipe
from reasonrl.recipe.tables import differences, short
from reasonrl.recipe.toml import dump_table
from reasonrl.run import checkpoint
from reasonrl.run.config import read_config, taken_config
from reasonrl.run.layout import CHECKPOINTS, CONFIG, checkpoint_paths

_SAFE = (
    r"engine(\..+)?",
    r"stage\.\d+\.steps",
    r"suite(\.\d+\..+)?",
    r"checkpoint\..+",
    r"trackers",
    r"reward\.\d+\.weight",
    r"verify\.(workers|max_failed_share)",
    r"optimizer\.offload",
    r"doctor\..+",
)
"""The keys that a resumed run may set; they decide no number of the steps that were taken."""


def check_changes(overrides: Sequence[str], directory: Path) -> None:
    """Raise ConfigError for a change that would make the steps already taken another run's."""
    for override in overrides:
        key = override.partition("=")[0].strip()
        if not _is_safe(key):
            raise ConfigError(
                f"a run that has begun keeps {key}: the steps that it took would be another run's",
                where=f"--set {override}",
                expected="a key of [engine], [checkpoint] or a [[suite]], stage.N.steps, "
                "reward.N.weight, trackers, doctor.stop_on, verify.workers or "
                "verify.max_failed_share",
                remedy="begin another run where this one stands: `reasonrl train "
                f"{directory}/config.toml --from-state {directory} --set {override}`",
            )


def check_unedited(directory: Path, overrides: Sequence[str]) -> None:
    """Raise ConfigError when config.toml differs from the recipe that the run took.

    An edit that `overrides` state too is announced, and passes.
    """
    now, taken = read_config(directory, overrides), taken_config(directory, overrides)
    edited = differences(dump_table(now), dump_table(taken))
    if edited:
        shown = [f"{key} = {short(new)}, and the run has {short(old)}" for key, new, old in edited]
        raise ConfigError(
            f"edited since the run took it: {'; '.join(shown[:3])}",
            where=str(directory / CONFIG),
            expected="the recipe that the run began with, or was given by `resume --set`",
            remedy=_way_to_change(directory, [(key, new) for key, new, _ in edited]),
        )


def _way_to_change(directory: Path, edited: Sequence[tuple[str, Any]]) -> str:
    """Return what to do with keys that a person gave other values in config.toml."""
    back = "set the key back" if len(edited) == 1 else f"set the {len(edited)} keys back"
    if not all(_is_safe(key) for key, _ in edited):
        return (
            f"{back}, or begin another run where this one stands: "
            f"`reasonrl train {directory / CONFIG} --from-state {directory}`"
        )
    if any(value is None or isinstance(value, list | dict) for _, value in edited):
        return f"{back}; change it with `reasonrl resume {directory} --set KEY=VALUE`"
    options = [f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in edited]
    return f"{back}, or pass it: `reasonrl resume {directory} {' '.join(options)}`"


def _is_safe(key: str) -> bool:
    return any(re.fullmatch(form, key) for form in _SAFE)


def computed_otherwise(taken: Recipe, now: Recipe) -> list[str]:
    """Return sentences on keys of [engine] that change what is computed, and not only where.

    Other keys of [engine] change rounding at most, and a run moves to other machines with them.
    """
    before, after = taken.engine, now.engine
    sentences = []
    if before.compute != after.compute:
        sentences.append(
            f"layers compute in {after.compute} and no longer in {before.compute}, so the numbers "
            "are not those that the run would have had"
        )
    if before.rollout.type != after.rollout.type:
        sentences.append(
            f"the sampler is {after.rollout.type} and no longer {before.rollout.type}, so it draws "
            "other tokens than the run would have had"
        )
    return sentences


def changes_suites(overrides: Sequence[str]) -> bool:
    """Return whether changes concern the evaluations, so that their problems may differ."""
    return any(override.startswith("suite") for override in overrides)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run stands: the stage, counted from 0, and the steps that it has taken there.

    A finished run stands in its last stage. `taken` is 0 where the checkpoint does not say.
    """

    stage: int
    taken: int


def place_of(directory: Path, recipe: Recipe) -> Place:
    """Return where a run stands, by its newest checkpoint."""
    points = checkpoint_paths(directory / CHECKPOINTS)
    stage = checkpoint.read_state(points[-1]).get("stage") if points else None
    if not isinstance(stage, dict):
        return Place(stage=0, taken=0)
    return Place(stage=min(int(stage["number"]), len(recipe.stage) - 1), taken=int(stage["step"]))


def has_more_steps(recipe: Recipe, place: Place) -> bool:
    """Return whether the recipe has more steps for the last stage than a finished run has taken."""
    return 0 < place.taken < recipe.stage[-1].steps


def check_steps(recipe: Recipe, overrides: Sequence[str], place: Place) -> None:
    """Raise ConfigError for a number of steps that a stage has already gone past."""
    for override in overrides:
        match = re.match(r"stage\.(\d+)\.steps", override)
        if match is None:
            continue
        stage = int(match[1]) - 1
        is_over = stage < place.stage
        if is_over or (stage == place.stage and recipe.stage[stage].steps < place.taken):
            name = recipe.stage[stage].name
            raise ConfigError(
                f"stage {name} has {'ended' if is_over else f'taken {place.taken} steps'}",
                where=f"--set {override}",
                expected="more steps of the stage that the run is in, or of a later stage",
            )
