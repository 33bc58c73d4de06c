"""Recipes from files, with changes given as Python values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import tomli_w

from reasonrl.recipe import Recipe
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe as load_file

Overrides: TypeAlias = Mapping[str, object] | Sequence[str]
"""Changes of a recipe: `{"rollout.group_size": 8}`, or the same as `["rollout.group_size=8"]`."""


def load_recipe(path: str | os.PathLike[str], overrides: Overrides = ()) -> Recipe:
    """Return the recipe of a file, or the shipped recipe of that name, with changes.

    Keys are dotted, and tables of a list count from 1: `{"stage.1.steps": 5}`. Raises ConfigError
    for a file or a key that is wrong.
    """
    return load_file(recipe_path(os.fspath(path)), overrides_of(overrides))


def overrides_of(overrides: Overrides) -> list[str]:
    """Return changes in the form of the command line's `--set`."""
    if isinstance(overrides, Mapping):
        return [word for key, value in overrides.items() for word in _words(key, value)]
    return list(overrides)


def _words(key: str, value: object) -> Iterator[str]:
    """Yield `key=value` in TOML; a table becomes one word for each of its keys."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _words(f"{key}.{name}", inner)
        return
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    text = tomli_w.dumps({"v": value})
    if not text.startswith("v = "):
        # A list of tables: TOML writes it in several lines, and one line needs braces.
        text = f"v = {_inline(value)}"
    yield f"{key}={text.removeprefix('v = ').strip()}"


def _inline(value: object) -> str:
    """Return a value in one line of TOML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()


def _key(name: str) -> str:
    return tomli_w.dumps({name: 0}).partition(" = ")[0]
