"""The libraries that a recipe needs beside the base package, asked for before a model is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from reasonrl.errors import ConfigError
from reasonrl.recipe import InProcessVllm, Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A library that a key of a recipe needs, the extra that installs it, and the other way out."""

    module: str
    extra: str
    key: str
    otherwise: str


def require_extras(recipe: Recipe) -> None:
    """Raise ConfigError for the first library that the recipe needs and that is not installed."""
    for needed in _extras_of(recipe):
        if find_spec(needed.module) is None:
            raise ConfigError(
                f"{needed.module} is not installed",
                where=needed.key,
                remedy=f"pip install 'reasonrl[{needed.extra}]', or {needed.otherwise}",
            )


def _extras_of(recipe: Recipe) -> Iterator[Extra]:
    if isinstance(recipe.engine.rollout, InProcessVllm):
        yield Extra(
            module="vllm",
            extra="vllm",
            key='engine.rollout.type = "vllm"',
            otherwise='set engine.rollout.type = "local", which samples more slowly on a GPU',
        )
    if recipe.model.lora is not None:
        yield Extra(
            module="peft", extra="lora", key="[model.lora]", otherwise="remove [model.lora]"
        )
        if recipe.model.lora.is_packed:
            yield _bitsandbytes('model.lora.frozen = "4bit"', "remove model.lora.frozen")
    if recipe.optimizer.type == "adamw-8bit":
        yield _bitsandbytes('optimizer.type = "adamw-8bit"', "remove optimizer.type")


def _bitsandbytes(key: str, otherwise: str) -> Extra:
    return Extra(module="bitsandbytes", extra="8bit", key=key, otherwise=otherwise)
