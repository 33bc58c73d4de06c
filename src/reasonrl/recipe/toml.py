"""Recipes as files: TOML with `extends`, `--set` overrides and `[[stage]]` tables.

A stage's tables are laid over the recipe's own. Unknown keys are errors with the nearest known one;
nothing is ever ignored. Called by `cli` and `launch`.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ValidationError

from reasonrl.errors import ConfigError
from reasonrl.recipe import EngineConfig, EvalRecipe, Recipe, Settings, Strict, eval_recipe_of
from reasonrl.recipe.named import base_of_paths

Settled = TypeVar("Settled", bound=Strict)


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
    anchor_paths(data, Path.cwd())  # what the overrides named; the file's own are absolute by now
    if "suite" in data and not {"stage", "data"} & data.keys():
        raise ConfigError(
            "this recipe trains nothing",
            where=path.name,
            expected="[data] and a [[stage]] table",
            remedy=f"`reasonrl eval MODEL --recipe {path}` evaluates as it says",
        )
    return parse(Recipe, data, where=path.name)


def engine_names(path: Path) -> list[str]:
    """Return the names of the engine blocks that a recipe offers."""
    return list(read_tables(path).get("engines", {}))


def choose_engine(data: dict[str, Any], *, where: str) -> None:
    """Put the block of `[engines]` that `engine` names in its place; check all blocks."""
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
            remedy="choose one with --set engine=NAME",
        )
    for key, block in blocks.items():
        parse(EngineConfig, block, where=f"{where}: engines.{key}")
    data["engine"] = blocks[name]


def is_eval_recipe(path: Path) -> bool:
    """Say whether a file is a recipe that trains nothing: one with suites and without stages."""
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
            remedy="add one, or name a suite with --suite",
        )
    return eval_recipe_of(recipe)


def parse(kind: type[Settled], data: Mapping[str, Any], *, where: str) -> Settled:
    """Validate a plain mapping as a recipe of some kind."""
    for key, nearest in _unknown_keys(kind, data, ""):
        raise ConfigError(
            f"unknown key {key!r}",
            where=where,
            expected=f"a known key; the nearest is {nearest!r}" if nearest else "a known key",
            remedy=f"see {kind.guide}",
        )
    try:
        whole = _with_suites_apart(_with_whole_stages(data))
        return kind.model_validate_json(json.dumps(whole, default=str))
    except ValidationError as error:
        first = error.errors()[0]
        places = (part + 1 if isinstance(part, int) else part for part in first["loc"])
        key = ".".join(map(str, places))
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
    """Lay each stage's tables over the recipe's own, and name the unnamed."""
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
    """Make of a suite with several temperatures one for each."""
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
        apart += [{**suite, "name": f"{name}-t{one}", "temperature": one} for one in given]
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
    """Return a recipe's tables, those it `extends` below them, with absolute paths; not validated.

    Raises ConfigError for a file that is missing, no TOML, or extends itself.
    """
    path = path.resolve()
    if path in seen:
        raise ConfigError("`extends` goes round in a circle", where=str(path))
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
        raise ConfigError(f"not TOML: {error}", where=str(path)) from error
    anchor_paths(data, base_of_paths(path))
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ConfigError(f"extends = {base!r}", where=str(path), expected="a path in a string")
    return _merged(read_tables(path.parent / base, (*seen, path)), data)


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
    """Lay tables over tables; anything else, lists of tables included, replaces what was there.

    Another entropy `mode` brings its own numbers: those of the old one stay behind, but the target
    belongs to every mode.
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
    """Return an entropy table without the numbers of its mode, if another mode comes."""
    if mode is None or table.get("mode", mode) == mode:
        return dict(table)
    return {name: table[name] for name in ("target_nats",) if name in table}


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set one dotted key, in place; the value is TOML, or a bare string. Tables count from 1."""
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"cannot read --set {override!r}", expected="key=value")
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
            raise ConfigError(f"--set {override}: {part!r} is not a table")
        else:
            node = node.setdefault(part, {})
    if isinstance(node, list):
        raise ConfigError(f"--set {override}: cannot replace a whole table of a list")
    if parts == ["engine", "type"] and value == "local":  # what one process has no use for
        for name in ("rollout", "learner", "placement"):
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


def _unknown_keys(model: type[BaseModel], data: Any, at: str) -> Iterator[tuple[str, str]]:
    """Yield each key that no field of the tree has, with the nearest one that is known."""
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        here = f"{at}{key}"
        if key not in model.model_fields:
            near = difflib.get_close_matches(key, model.model_fields, n=1, cutoff=0.5)
            yield here, f"{at}{near[0]}" if near else ""
            continue
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(items, start=1):
            inner = _model_for(model.model_fields[key].annotation, item)
            if inner is not None:
                place = f"{here}.{number}." if isinstance(value, list) else f"{here}."
                yield from _unknown_keys(inner, item, place)


def _model_for(annotation: Any, item: Any) -> type[BaseModel] | None:
    """Return the model inside a field's annotation; of several, the one whose `type` fits."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Annotated, Union, UnionType):
        found = [inner for part in get_args(annotation) if (inner := _model_for(part, item))]
        for inner in found:
            tag = inner.model_fields.get("type")
            if tag and isinstance(item, Mapping) and item.get("type") in get_args(tag.annotation):
                return inner
        return found[0] if len(found) == 1 else None
    return None
