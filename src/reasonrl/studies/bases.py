"""Make the recipe of an arm with a seed, on the miniature or on a recipe of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from reasonrl.errors import ConfigError
from reasonrl.lab import problems
from reasonrl.lab.miniature import NAME, Spec, directory_of
from reasonrl.recipe import Recipe
from reasonrl.recipe.toml import dump_table, load_recipe, parse
from reasonrl.studies.arm import EASY, NOISY, TRAIN, Arm, Changes
from reasonrl.studies.record import COOL, HELDOUT
from reasonrl.studies.scales import MINIATURE, REPORT, Scale

Base = Callable[[Arm, int], Recipe]
"""A function that returns the recipe of an arm with a seed."""

_FILES = {TRAIN: problems.TRAIN, EASY: problems.EASY, NOISY: problems.NOISY}
_ROOM = 96  # tokens of an answer in an evaluation
_SAMPLES = 2  # of each held-out problem: more problems tell more than more samples (docs/lab.md)


def miniature_base(spec: Spec, scale: Scale = MINIATURE) -> Base:
    """Return recipes on the miniature, built with the seed of the run."""

    def recipe(arm: Arm, seed: int) -> Recipe:
        directory = directory_of(spec, seed)
        suite = {
            "sources": [_file(directory, problems.HELDOUT)],
            "k": _SAMPLES,
            "max_new_tokens": _ROOM,
            "every": arm.every,
        }
        table: dict[str, Any] = {
            "model": {"name": str(directory)},
            "data": {"sources": [_file(directory, _FILES[name]) for name in arm.data]},
            "engine": {"threads": 1, "token_budget": 8192, "max_rows": 256},
            "checkpoint": {"every": 50, "keep": 1},
            "suite": [{**suite, "name": HELDOUT}],
        }
        if arm.is_cool:
            table["suite"].append({**suite, "name": COOL, "temperature": 0.6})
        if EASY not in arm.data:
            table["data"]["difficulty"] = {"model": NAME}
        return _with_arm(table, scale, arm, seed)

    return recipe


def recipe_base(path: Path, overrides: Sequence[str], scale: Scale = REPORT) -> Base:
    """Return recipes with the model, data, engine and suites of a recipe file.

    All other settings are the scale's and the arm's. For arms that are evaluated at temperature 0.6
    too, the first suite is there a second time.
    """
    given = dump_table(load_recipe(path, overrides))
    kept = ("model", "data", "optimizer", "engine", "verify", "checkpoint", "suite")
    table = {key: given[key] for key in kept if key in given}

    def recipe(arm: Arm, seed: int) -> Recipe:
        if arm.data != (TRAIN,):
            raise ConfigError(
                f"arm {arm.name} needs problems that only the lab has",
                where=str(path),
                remedy="choose other arms with --arms, or leave out --recipe",
            )
        suites = [{**suite, "every": arm.every} for suite in table.get("suite", [])]
        cool = [{**suites[0], "name": COOL, "temperature": 0.6}] if arm.is_cool and suites else []
        return _with_arm({**table, "suite": [*suites, *cool]}, scale, arm, seed)

    return recipe


def _with_arm(table: dict[str, Any], scale: Scale, arm: Arm, seed: int) -> Recipe:
    plain = {
        "name": arm.name,
        "seed": seed,
        "rollout": {
            "prompts_per_step": scale.prompts,
            "group_size": scale.group,
            "max_new_tokens": scale.limit,
        },
        "update": {"learning_rate": scale.learning_rate},
        "entropy": {"mode": "none"},
    }
    whole = deepcopy(table) | plain
    _apply(whole, arm.changes)
    whole["stage"] = []
    for changes in arm.stages:
        stage: dict[str, Any] = {}
        _apply(stage, changes)
        whole["stage"].append(stage)
    return parse(Recipe, whole, where=f"arm {arm.name}")


def _apply(table: dict[str, Any], changes: Changes) -> None:
    """Set dotted keys in a table."""
    # Another entropy mode has its own numbers.
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
