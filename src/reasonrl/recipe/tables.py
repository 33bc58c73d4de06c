"""Recipes as plain tables: TOML with `extends`, paths, merged tables and `--set` overrides.

Nothing is validated here; `recipe.toml` makes a recipe of the tables.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasonrl.errors import ConfigError
from reasonrl.recipe.engine import RayEngineConfig
from reasonrl.recipe.named import base_of_paths, recipe_path

FORMAT = 1
"""The format of a run's directory, which its config.toml carries. Release 0.1.0 wrote none."""

_CLUSTER_DEFAULTS = {
    name: value
    for name, value in RayEngineConfig().model_dump(mode="json").items()
    if name in ("placement", "sync", "restarts", "rollout", "learner")
}


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
    anchor_paths(data, base_of_paths(path))
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ConfigError(
            f"extends = {base!r}", where=str(path), expected="a path or a shipped name"
        )
    return merged(read_tables(_extended_path(base, path), (*seen, path)), data)


def _extended_path(base: str, path: Path) -> Path:
    """Return the recipe that a file extends, named by a relative path or by its shipped name."""
    is_path = "/" in base or base.endswith(".toml")
    return path.parent / base if is_path else recipe_path(base)


def _check_format(data: dict[str, Any], path: Path) -> None:
    """Take the format of a run's config.toml out of its tables; bring older tables up to date.

    Release 0.1.0 wrote no format.
    """
    if "format" not in data:
        _drop_cluster_tables(data.get("engine"))
        return
    number = data.pop("format")
    if number != FORMAT:
        raise ConfigError(
            f"format = {number!r}",
            where=str(path),
            expected=f"format = {FORMAT}",
            remedy="use the version of reasonrl that wrote the run",
        )
    engine = data.get("engine")
    if isinstance(engine, dict) and engine.get("rollout") == {"type": "module"}:
        # The name of the local sampler until release 0.2.0.
        engine["rollout"] = {"type": "local"}
    for stage in data.get("stage", ()):
        for name, table in stage.items():
            if isinstance(table, dict) and isinstance(data.get(name), dict):
                _drop_repeated(table, data[name])


def _drop_repeated(table: dict[str, Any], shared: Mapping[str, Any]) -> None:
    """Take out of a stage's table, in place, the values that the recipe's own table has too.

    A run's config.toml writes every stage out, so that `--set update.learning_rate=...` on it would
    reach no stage. A table of another entropy mode stays whole, because it brings its own numbers.
    """
    if table.get("mode") != shared.get("mode"):
        return
    for key, value in list(table.items()):
        if isinstance(value, dict) and isinstance(shared.get(key), dict):
            _drop_repeated(value, shared[key])
        elif not isinstance(value, dict | list) and key in shared and shared[key] == value:
            del table[key]


def _drop_cluster_tables(engine: object) -> None:
    """Take a cluster's keys out of the local engine of a run of release 0.1.0, where all stood.

    They meant nothing there. A recipe that a person wrote never has all of them: each of its keys
    is meant, and stays.
    """
    tables = {name: _CLUSTER_DEFAULTS[name] for name in ("rollout", "learner")}
    if not isinstance(engine, dict) or engine.get("type") != "local":
        return
    if _CLUSTER_DEFAULTS.keys() <= engine.keys() and tables.items() <= engine.items():
        for name in _CLUSTER_DEFAULTS:
            del engine[name]


def anchor_paths(node: Any, directory: Path) -> None:
    """Make the relative paths of sources, models and functions absolute, in place."""
    if isinstance(node, list):
        for item in node:
            anchor_paths(item, directory)
    if not isinstance(node, dict):
        return
    if "type" in node and isinstance(node.get("path"), str):
        node["path"] = str((directory / node["path"]).resolve())
    for key in ("prompt_template", "rubric"):
        if "type" in node and isinstance(node.get(key), str):
            node[key] = str((directory / node[key]).resolve())
    function = node.get("function")
    if node.get("type") == "function" and isinstance(function, str):
        file, colon, name = function.rpartition(":")
        if colon and file.endswith(".py"):
            node["function"] = f"{(directory / file).resolve()}:{name}"
    advantage = node.get("advantage")
    if isinstance(advantage, str) and ".py:" in advantage:
        file, _, name = advantage.rpartition(":")
        node["advantage"] = f"{(directory / file).resolve()}:{name}"
    model = node.get("model")
    if isinstance(model, dict) and "name" in model:
        model["name"] = _anchored_model(model["name"], directory)
    if isinstance(node.get("reference"), str):
        node["reference"] = _anchored_model(node["reference"], directory)
    template = node.get("chat_template")
    if isinstance(template, str) and (directory / template).is_file():
        node["chat_template"] = str((directory / template).resolve())
    for item in node.values():
        anchor_paths(item, directory)


def _anchored_model(name: Any, directory: Path) -> Any:
    """Return a model's name; a relative path of a directory becomes absolute."""
    is_path = isinstance(name, str) and (
        name.startswith(("./", "../")) or ("/" in name and (directory / name).is_dir())
    )
    return str((directory / name).resolve()) if is_path else name


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
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
        out[key] = merged(_without_presets(old, value.get("mode")), value)
    return out


def _without_presets(table: Mapping[str, Any], mode: object) -> dict[str, Any]:
    """Return an entropy table without the numbers of its mode, if `mode` is another mode."""
    if mode is None or table.get("mode", mode) == mode:
        return dict(table)
    return {name: table[name] for name in ("target_nats",) if name in table}


def after_the_block(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that follow the choice of an engine block, in the order that they act.

    A new engine type takes out the keys that only the other type has, so it precedes its own keys.
    """
    others = [override for override in overrides if not override.startswith("engine=")]
    return sorted(others, key=lambda override: not override.startswith("engine.type="))


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
    if parts == ["engine", "type"]:
        _drop_foreign_engine(node, value)
    if parts == ["engine", "rollout", "type"]:
        _drop_vllms_keys(data["engine"], value)
    if parts[-1] == "mode":
        kept = _without_presets(node, value)
        node.clear()
        node.update(kept)
    node[parts[-1]] = value


def _drop_foreign_engine(engine: dict[str, Any], kind: object) -> None:
    """Take out of an engine table what only the other type has, so that the type can change."""
    if kind == "local":
        for name in _CLUSTER_DEFAULTS:
            engine.pop(name, None)
    elif "offload" in engine:
        # A local run's config.toml has every key; a table of replicas was asked for and stays.
        del engine["offload"], engine["rollout"]


def _drop_vllms_keys(engine: dict[str, Any], kind: object) -> None:
    """Take out of a local engine the keys of vLLM, so that the learner's module can sample."""
    if kind == "local" and engine.get("type", "local") == "local":
        engine["rollout"].pop("memory_share", None)
        engine.pop("offload", None)


def _stage_of(tables: list[Any], part: str, override: str) -> Any:
    if not part.isdigit() or not 1 <= int(part) <= len(tables):
        raise ConfigError(
            f"--set {override}: {part!r} is not one of the {len(tables)} tables",
            expected=f"a number from 1 to {len(tables)}",
        )
    return tables[int(part) - 1]


def differences(ours: Any, theirs: Any, at: str = "") -> list[tuple[str, Any, Any]]:
    """Return the dotted keys at which two tables differ, with both values; None for no value."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted(ours.keys() | theirs.keys())
        return [
            difference
            for key in keys
            for difference in differences(ours.get(key), theirs.get(key), f"{at}.{key}".lstrip("."))
        ]
    are_lists = isinstance(ours, tuple | list) and isinstance(theirs, tuple | list)
    if are_lists and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True), start=1)
        return [pair for n, (a, b) in pairs for pair in differences(a, b, f"{at}.{n}")]
    return [] if ours == theirs else [(at, ours, theirs)]


def short(value: Any) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, list):
        return f"{len(value)} tables"
    return repr(value)[:60]
