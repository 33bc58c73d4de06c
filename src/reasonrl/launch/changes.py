"""What a run that has begun may change, and why everything else stays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from reasonrl.errors import ConfigError
from reasonrl.recipe import Recipe
from reasonrl.run import checkpoint
from reasonrl.run.layout import CHECKPOINTS, SUMMARY

_SAFE = (
    r"engine(\..+)?",
    r"stage\.\d+\.steps",
    r"suite(\.\d+\..+)?",
    r"checkpoint\..+",
    r"trackers",
    r"reward\.\d+\.weight",
    r"verify\.(workers|max_failed_share)",
)
"""The keys that a resumed run may set; they decide no number of the steps that were taken."""


def check_changes(overrides: Sequence[str], directory: Path) -> None:
    """Raise ConfigError for a change that would make the steps already taken another run's."""
    for override in overrides:
        key = override.partition("=")[0].strip()
        if not any(re.fullmatch(form, key) for form in _SAFE):
            raise ConfigError(
                f"a run that has begun keeps {key}: the steps that it took would be another run's",
                where=f"--set {override}",
                expected="a key of [engine], [checkpoint] or a [[suite]], stage.N.steps, "
                "reward.N.weight, trackers, verify.workers or verify.max_failed_share",
                remedy="begin another run where this one stands: `reasonrl train "
                f"{directory}/config.toml --from-state {directory} --set {override}`",
            )


def changes_suites(overrides: Sequence[str]) -> bool:
    """Return whether changes concern the evaluations, so that their problems may differ."""
    return any(override.startswith("suite") for override in overrides)


def has_more_steps(recipe: Recipe, directory: Path) -> bool:
    """Return whether the recipe has more steps for the last stage than a finished run has taken."""
    newest = checkpoint.load_latest(directory / CHECKPOINTS)
    if newest is None:
        return False
    stage = newest.state["stage"]
    taken = stage["step"] if isinstance(stage, dict) else 0
    if taken == 0 or recipe.stage[-1].steps <= taken:
        return False
    (directory / SUMMARY).unlink()
    return True


def check_steps(recipe: Recipe, overrides: Sequence[str], directory: Path) -> None:
    """Raise ConfigError for a number of steps that a stage has already gone past."""
    newest = checkpoint.load_latest(directory / CHECKPOINTS)
    state = {} if newest is None else newest.state.get("stage", {})
    if not isinstance(state, dict):
        return
    number, taken = int(state.get("number", 0)), int(state.get("step", 0))
    if number == len(recipe.stage):
        number -= 1
    for override in overrides:
        match = re.match(r"stage\.(\d+)\.steps", override)
        if match is None:
            continue
        stage = int(match[1]) - 1
        if stage < number or (stage == number and recipe.stage[stage].steps < taken):
            name = recipe.stage[stage].name
            raise ConfigError(
                f"stage {name} has ended"
                if stage < number
                else f"stage {name} has taken {taken} steps",
                where=f"--set {override}",
                expected="more steps of the stage that the run is in, or of a later stage",
            )
