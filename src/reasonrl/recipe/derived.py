"""A recipe that extends another one by the values of `--set`, as the text of a file.

The file means what the other recipe means with these options on the command line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from reasonrl.recipe.named import SHIPPED
from reasonrl.recipe.tables import (
    after_the_block,
    anchor_paths,
    apply_override,
    merged,
    read_tables,
)


def derived_recipe(path: Path, overrides: Sequence[str], out: Path) -> str:
    """Return the TOML of a recipe at `out` that extends the recipe at `path` by overrides.

    Where tables laid over the other's cannot say it, because an override takes keys away, the text
    is the whole recipe and extends nothing.
    """
    base, changed = read_tables(path), _overridden(path, overrides)
    new = _new_values(base, changed)
    if merged(base, new) == changed:
        return tomli_w.dumps({"extends": _named_from(path, out), **new})
    return tomli_w.dumps(changed)


def _overridden(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Return a recipe's tables with overrides, in the order in which `load_recipe` applies them.

    The engine's keys belong to the block of `[engines]` that is chosen.
    """
    data = read_tables(path)
    for override in overrides:
        if override.startswith("engine="):
            apply_override(data, override)
    name, blocks = data.get("engine"), data.get("engines", {})
    if isinstance(name, str) and name in blocks:
        data["engine"] = blocks[name]
    for override in after_the_block(overrides):
        apply_override(data, override)
    if isinstance(name, str):
        data["engine"] = name
    anchor_paths(data, Path.cwd())
    return data


def _new_values(base: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that differ, tables by their own values and everything else whole."""
    new: dict[str, Any] = {}
    for key, value in changed.items():
        old = base.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = _new_values(old, value)
            if inner:
                new[key] = inner
        elif key not in base or value != old:
            new[key] = value
    return new


def _named_from(path: Path, out: Path) -> str:
    """Return how a file at `out` names the recipe: by its shipped name, or by a relative path."""
    path = path.resolve()
    if path.parent == SHIPPED:
        return path.stem
    return Path(os.path.relpath(path, out.resolve().parent)).as_posix()
