"""Recipes as files: TOML with `extends`, `--set` overrides and `[[stage]]` tables.

A stage's tables replace values of the recipe's own tables. Unknown keys are errors; nothing is ever
ignored.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import ValidationError

from reasonrl.errors import ConfigError
from reasonrl.recipe import (
    EngineConfig,
    EvalRecipe,
    RayEngineConfig,
    Recipe,
    Settings,
    Strict,
    eval_recipe_of,
)
from reasonrl.recipe.keys import key_of, unknown_keys

Settled = TypeVar("Settled", bound=Strict)

FORMAT = 1
"""The format of a run's directory, which its config.toml carries. Release 0.1.0 wrote none."""


class _EngineBlock(Strict):
    """One table of `[engines]`, as a recipe holds it once it is chosen."""

    engine: EngineConfig


_CLUSTER_DEFAULTS = {
    name: value
    for name, value in RayEngineConfig().model_dump(mode="json").items()
    if name in ("placement", "restarts", "rollout", "learner")
}


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe with its `extends` chain, apply `key=value` overrides, and validate it all.

    Raises ConfigError naming the key, what was expected, and the nearest known key.
    """
    data = read_tables(path)
    for override in overrides:
        if override.startswith("engine="):
            apply_override(data, override)
    choose_engine(data, where=path.name)
    for override in overrides:
        if not override.startswith("engine="):
            apply_override(data, override)
    # Only paths of overrides are still relative: reading the file made its own paths absolute.
    anchor_paths(data, Path.cwd())
    if "suite" in data and not {"stage", "data"} & data.keys():
        raise ConfigError(
            "this recipe trains nothing",
            where=path.name,
            expected="[data] and a [[stage]] table",
            remedy=f"evaluate with it: `reasonrl eval MODEL --recipe {path}`",
        )
    return parse(Recipe, data, where=path.name)


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
        what = first["msg"].removeprefix("Value error, ")
        if key:
            is_table = isinstance(first["input"], dict)
            what = f"{key}: {what}" if is_table else f"{key} = {_shown(first)}: {what}"
        raise ConfigError(
            what,
            where=where,
            remedy=_remedy(key),
        ) from error


def _with_whole_stages(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Complete each stage with the recipe's own tables, and name stages without a name."""
    stages = data.get("stage")
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        return data
    shared = {key: data[key] for key in Settings.model_fields if key in data}
    whole = [
        _merged({**shared, "name": f"stage-{number}"}, stage)
        for number, stage in enumerate(stages, start=1)
    ]
    return {**data, "stage": whole}


def _with_suites_apart(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Split a suite with several temperatures into a suite for each."""
    suites = data.get("suite")
    if not isinstance(suites, list) or not all(isinstance(suite, dict) for suite in suites):
        return data
    apart = []
    for suite in suites:
        given = suite.get("temperature")
        if not isinstance(given, list):
            apart.append(suite)
            continue
        name = suite.get("name", "")
        apart += [{**suite, "name": f"{name}-t{value}", "temperature": value} for value in given]
    return {**data, "suite": apart}


def dump_recipe(recipe: Recipe | EvalRecipe) -> str:
    """Return the resolved recipe as TOML that `load_recipe` reads back to an equal one."""
    return tomli_w.dumps(dump_table(recipe))


def dump_table(recipe: Recipe | EvalRecipe) -> dict[str, Any]:
    """Return the resolved recipe as the plain mapping that its TOML holds."""
    return recipe.model_dump(mode="json", exclude_none=True)


def _shown(error: Mapping[str, Any]) -> str:
    shown = repr(error["input"])
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _remedy(key: str) -> str:
    if key.endswith("group_size"):
        return "advantages need at least 2 rollouts of each problem; set group_size >= 2"
    return ""


def read_tables(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return a recipe's tables over those of the recipe it `extends`, with absolute paths.

    The tables are not validated. Raises ConfigError for a file that is missing, is not TOML, or
    extends itself.
    """
    path = path.resolve()
    if path in seen:
        raise ConfigError(
            "this recipe extends itself, by way of others",
            where=str(path),
            remedy="take out one `extends`",
        )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        near = difflib.get_close_matches(path.stem, [p.stem for p in path.parent.glob("*.toml")])
        raise ConfigError(
            "no such recipe",
            where=str(path),
            remedy=f"did you mean {near[0]}.toml?" if near else "check the path",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise ConfigError(
            f"not TOML: {error}", where=str(path), remedy="mend the file at this line"
        ) from error
    _check_format(data, path)
    anchor_paths(data, path.parent)
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ConfigError(f"extends = {base!r}", where=str(path), expected="a path in a string")
    return _merged(read_tables(path.parent / base, (*seen, path)), data)


def _check_format(data: dict[str, Any], path: Path) -> None:
    """Take the format of a run's config.toml out of its tables; bring older tables up to date.

    Release 0.1.0 wrote no format, and the defaults of a cluster's tables for a local engine too.
    """
    number = data.pop("format", FORMAT)
    if number != FORMAT:
        raise ConfigError(
            f"format = {number!r}",
            where=str(path),
            expected=f"format = {FORMAT}",
            remedy="use the version of reasonrl that wrote the run",
        )
    engine = data.get("engine")
    if isinstance(engine, dict) and engine.get("type", "local") == "local":
        for name, value in _CLUSTER_DEFAULTS.items():
            if engine.get(name) == value:
                del engine[name]


def anchor_paths(node: Any, directory: Path) -> None:
    """Make the relative paths of sources and model directories absolute, in place."""
    if isinstance(node, list):
        for item in node:
            anchor_paths(item, directory)
    if not isinstance(node, dict):
        return
    if "type" in node and isinstance(node.get("path"), str):
        node["path"] = str((directory / node["path"]).resolve())
    model = node.get("model")
    name = str(model.get("name", "")) if isinstance(model, dict) else ""
    if name.startswith(("./", "../")) or ("/" in name and (directory / name).is_dir()):
        node["model"]["name"] = str((directory / name).resolve())
    for item in node.values():
        anchor_paths(item, directory)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge tables into tables; any other value, a list of tables included, replaces the old value.

    Another entropy `mode` brings its own numbers, and the old mode's are dropped. The target
    belongs to every mode and stays.
    """
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        if not isinstance(old, dict) or not isinstance(value, dict):
            out[key] = value
            continue
        out[key] = _merged(_without_presets(old, value.get("mode")), value)
    return out


def _without_presets(table: Mapping[str, Any], mode: object) -> dict[str, Any]:
    """Return an entropy table without the numbers of its mode, if `mode` is another mode."""
    if mode is None or table.get("mode", mode) == mode:
        return dict(table)
    return {name: table[name] for name in ("target_nats",) if name in table}


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set one dotted key, in place; the value is TOML or a bare string. Tables count from 1."""
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise ConfigError(
            f"cannot read --set {override!r}",
            expected="key=value",
            remedy="e.g. --set seed=2",
        )
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    parts = key.strip().split(".")
    node: Any = data
    for number, part in enumerate(parts[:-1]):
        if isinstance(node, list):
            node = _stage_of(node, part, override)
        elif isinstance(node.get(part), dict | list):
            node = node[part]
        elif part in node or parts[number + 1].isdigit():
            raise ConfigError(
                f"--set {override}: {part!r} is not a table", remedy="check the key's spelling"
            )
        else:
            node = node.setdefault(part, {})
    if isinstance(node, list):
        raise ConfigError(
            f"--set {override}: cannot replace a whole table of a list",
            expected="a key of the table",
            remedy="set its keys one by one",
        )
    if parts == ["engine", "type"] and value != node.get("type", "local"):
        # The tables of a cluster mean nothing to one process, and the other way round.
        for name in _CLUSTER_DEFAULTS:
            node.pop(name, None)
    if parts[-1] == "mode":
        kept = _without_presets(node, value)
        node.clear()
        node.update(kept)
    node[parts[-1]] = value


def _stage_of(tables: list[Any], part: str, override: str) -> Any:
    if not part.isdigit() or not 1 <= int(part) <= len(tables):
        raise ConfigError(
            f"--set {override}: {part!r} is not one of the {len(tables)} tables",
            expected=f"a number from 1 to {len(tables)}",
        )
    return tables[int(part) - 1]
