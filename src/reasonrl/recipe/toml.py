"""Recipes as files: TOML with `extends`, `--set` overrides and `[[stage]]` tables.

A stage's tables replace values of the recipe's own tables. Unknown keys are errors; nothing is ever
ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import ValidationError

from reasonrl.errors import ConfigError
from reasonrl.recipe import (
    EngineConfig,
    EvalRecipe,
    Recipe,
    Settings,
    Strict,
    eval_recipe_of,
)
from reasonrl.recipe.faults import fault_of
from reasonrl.recipe.keys import key_of, unknown_keys
from reasonrl.recipe.tables import (
    after_the_block,
    anchor_paths,
    apply_override,
    merged,
    read_tables,
)

Settled = TypeVar("Settled", bound=Strict)


class _EngineBlock(Strict):
    """One table of `[engines]`, as a recipe holds it once it is chosen."""

    engine: EngineConfig


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe with its `extends` chain, apply `key=value` overrides, and validate it all.

    Raises ConfigError naming the key, what was expected, and the nearest known key.
    """
    data = read_tables(path)
    for override in overrides:
        if override.startswith("engine="):
            apply_override(data, override)
    choose_engine(data, where=path.name)
    for override in after_the_block(overrides):
        apply_override(data, override)
    # Only paths of overrides are still relative: reading the file made its own paths absolute.
    anchor_paths(data, Path.cwd())
    _refuse_data_recipe(data, path)
    if "suite" in data and not {"stage", "data"} & data.keys():
        raise ConfigError(
            "this recipe trains nothing",
            where=path.name,
            expected="[data] and a [[stage]] table",
            remedy=f"evaluate with it: `reasonrl eval MODEL --recipe {path}`",
        )
    return parse(Recipe, data, where=path.name)


def _refuse_data_recipe(data: Mapping[str, Any], path: Path) -> None:
    if "source" in data and not {"stage", "data", "suite"} & data.keys():
        raise ConfigError(
            "this recipe makes a training set",
            where=path.name,
            expected="a recipe with a [[stage]] or a [[suite]] table",
            remedy=f"use it with `reasonrl data build {path} --out DIR`",
        )


def engine_names(path: Path) -> list[str]:
    """Return the names of the engine blocks that a recipe offers."""
    return list(read_tables(path).get("engines", {}))


def choose_engine(data: dict[str, Any], *, where: str) -> None:
    """Replace `engine`, the name of a block of `[engines]`, by that block; check all blocks."""
    blocks = data.pop("engines", None)
    name = data.get("engine")
    if blocks is None and not isinstance(name, str):
        return
    blocks = blocks or {}
    if not isinstance(name, str) or name not in blocks:
        raise ConfigError(
            f"engine = {name!r}",
            where=where,
            expected="the name of a table in [engines]: " + (", ".join(blocks) or "there is none"),
            remedy="choose a table with --set engine=NAME",
        )
    for key, block in blocks.items():
        parse(_EngineBlock, {"engine": block}, where=f"{where}: engines.{key}")
    data["engine"] = blocks[name]


def is_eval_recipe(path: Path) -> bool:
    """Return whether a recipe only evaluates: it has suites and no stages."""
    data = read_tables(path)
    return "stage" not in data and "suite" in data


def load_eval_recipe(path: Path) -> EvalRecipe:
    """Read an evaluation recipe, or take the evaluation out of a training recipe."""
    data = read_tables(path)
    _refuse_data_recipe(data, path)
    choose_engine(data, where=path.name)
    if "stage" not in data:
        return parse(EvalRecipe, data, where=path.name)
    recipe = parse(Recipe, data, where=path.name)
    if not recipe.suite:
        raise ConfigError(
            "this training recipe evaluates nothing",
            where=path.name,
            expected="a [[suite]] table",
            remedy="add a [[suite]] table, or name a suite with --suite",
        )
    return eval_recipe_of(recipe)


def parse(kind: type[Settled], data: Mapping[str, Any], *, where: str) -> Settled:
    """Validate a plain mapping as a recipe of some kind."""
    for unknown in unknown_keys(kind, data):
        raise ConfigError(
            f"unknown key {unknown.key!r}",
            where=where,
            expected=unknown.expected,
            remedy=f"see {kind.guide}",
        )
    try:
        whole = _with_suites_apart(_with_whole_stages(data))
        return kind.model_validate_json(json.dumps(whole, default=str))
    except ValidationError as error:
        first = error.errors()[0]
        key = key_of(first["loc"], whole)
        is_table = isinstance(first["input"], dict)
        what, expected = fault_of(first, key, "" if is_table or not key else _shown(first))
        raise ConfigError(
            what, where=where, expected=expected, remedy=_remedy(key, str(first["type"]))
        ) from error


def _with_whole_stages(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Complete each stage with the recipe's own tables, and name stages without a name."""
    stages = data.get("stage")
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        return data
    shared = {key: data[key] for key in Settings.model_fields if key in data}
    whole = [
        merged({**shared, "name": f"stage-{number}"}, stage)
        for number, stage in enumerate(stages, start=1)
    ]
    return {**data, "stage": whole}


def _with_suites_apart(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Split a suite with several temperatures, or several seeds, into a suite for each."""
    suites = data.get("suite")
    if not isinstance(suites, list) or not all(isinstance(suite, dict) for suite in suites):
        return data
    for key, letter in (("temperature", "t"), ("seed", "s")):
        suites = [part for suite in suites for part in suite_parts(suite, key, letter)]
    return {**data, "suite": suites}


def suite_parts(suite: dict[str, Any], key: str, letter: str) -> list[dict[str, Any]]:
    """Return a suite, or a suite for each value of a key that holds a list."""
    values = suite.get(key)
    if not isinstance(values, list):
        return [suite]
    name = suite.get("name", "")
    return [{**suite, "name": f"{name}-{letter}{value}", key: value} for value in values]


def dump_recipe(recipe: Recipe | EvalRecipe) -> str:
    """Return the resolved recipe as TOML that `load_recipe` reads back to an equal one."""
    return tomli_w.dumps(dump_table(recipe))


def dump_table(recipe: Recipe | EvalRecipe) -> dict[str, Any]:
    """Return the resolved recipe as the plain mapping that its TOML holds."""
    return recipe.model_dump(mode="json", exclude_none=True)


def _shown(error: Mapping[str, Any]) -> str:
    shown = repr(error["input"])
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _remedy(key: str, fault: str) -> str:
    if key.endswith("group_size") and fault.startswith("greater"):
        return "advantages need at least 2 rollouts of each problem; set group_size >= 2"
    return ""
