"""From an arm and a seed to a whole recipe, on the miniature or on a recipe of the user's.

Called by `runs`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from reasonrl.config import Recipe
from reasonrl.errors import ConfigError
from reasonrl.lab import problems
from reasonrl.lab.miniature import NAME, Spec, place
from reasonrl.recipe_file import dump_table, load_recipe, parse
from reasonrl.studies.arms import EASY, NOISY, TRAIN, Arm, Changes
from reasonrl.studies.measures import COOL, HELDOUT
from reasonrl.studies.scales import MINIATURE, Scale

Base = Callable[[Arm, int], Recipe]
"""Return the recipe of an arm with a seed."""

_FILES = {TRAIN: problems.TRAIN, EASY: problems.EASY, NOISY: problems.NOISY}
_EVALUATIONS = 5  # of the held-out problems in a run, besides the one before it
_ROOM = 96  # tokens of an evaluation's answers


def miniature_base(spec: Spec, scale: Scale = MINIATURE) -> Base:
    """Run on the miniature that was built with the arm's seed."""

    def recipe(arm: Arm, seed: int) -> Recipe:
        directory = place(spec, seed)
        steps = sum(int(str(stage["steps"])) for stage in arm.stages)
        heldout = [_file(directory, problems.HELDOUT)]
        suite = {"sources": heldout, "k": 4, "max_new_tokens": _ROOM}
        table: dict[str, Any] = {
            "model": {"name": str(directory)},
            "data": {"sources": [_file(directory, _FILES[one]) for one in arm.data]},
            "rollout": {
                "prompts_per_step": scale.prompts,
                "group_size": scale.group,
                "max_new_tokens": scale.limit,
            },
            "update": {"learning_rate": 3e-4},
            "entropy": {"mode": "none"},
            "engine": {"threads": 1, "token_budget": 8192, "max_rows": 256},
            "checkpoint": {"every": 50, "keep": 1},
            "suite": [
                {**suite, "name": HELDOUT, "every": max(1, steps // _EVALUATIONS)},
                {**suite, "name": COOL, "temperature": 0.6},
            ],
        }
        if EASY not in arm.data:
            table["data"]["difficulty"] = {"model": NAME}
        return _with_arm(table, arm, seed)

    return recipe


def recipe_base(path: Path, overrides: Sequence[str]) -> Base:
    """Run on a recipe: its model, data, engine and suites; stages and changes are the arm's."""
    base = dump_table(load_recipe(path, overrides))
    table = {key: base[key] for key in base if key not in ("stage", "name", "seed")}
    table["entropy"] = {"mode": "none"}

    def recipe(arm: Arm, seed: int) -> Recipe:
        if arm.data != (TRAIN,):
            raise ConfigError(
                f"arm {arm.name} needs problems that only the lab has",
                where=str(path),
                remedy="choose other arms with --arms, or run it without --recipe",
            )
        return _with_arm(table, arm, seed)

    return recipe


def _with_arm(table: dict[str, Any], arm: Arm, seed: int) -> Recipe:
    whole = deepcopy(table) | {"name": arm.name, "seed": seed}
    _lay(whole, arm.changes)
    whole["stage"] = []
    for changes in arm.stages:
        stage: dict[str, Any] = {}
        _lay(stage, changes)
        whole["stage"].append(stage)
    return parse(Recipe, whole, where=f"arm {arm.name}")


def _lay(table: dict[str, Any], changes: Changes) -> None:
    """Set dotted keys; another entropy mode brings its own numbers."""
    if "entropy.mode" in changes:
        table["entropy"] = {}
    for key, value in changes.items():
        *path, last = key.split(".")
        node = table
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value


def _file(directory: Path, name: str) -> dict[str, str]:
    return {"type": "file", "path": str(directory / name)}
