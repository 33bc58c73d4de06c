"""Settle the type that layers compute in, once for a run: `engine.compute = "auto"`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from reasonrl.engines.precision import bfloat16_share, pays
from reasonrl.recipe import EngineConfig, EvalRecipe, RayEngineConfig, Recipe

AnyRecipe = TypeVar("AnyRecipe", Recipe, EvalRecipe)


def with_precision(
    recipe: AnyRecipe,
    note: Callable[[str], None],
    look: Callable[[str], float] = bfloat16_share,
) -> AnyRecipe:
    """Return a recipe whose `engine.compute` is a type; `look` times bfloat16 on a device.

    A run on a CPU that computes in bfloat16 already goes on with it, and is told where that is
    slower than float32. The GPUs of a cluster are taken to have bfloat16.
    """
    engine = _settled(recipe.engine, note, look)
    return recipe if engine == recipe.engine else recipe.model_copy(update={"engine": engine})


def _settled(
    engine: EngineConfig, note: Callable[[str], None], look: Callable[[str], float]
) -> EngineConfig:
    if not _can_be_asked(engine):
        return engine.computing_in(engine.precision)
    if engine.compute == "auto":
        share = look(engine.device)
        compute = "bfloat16" if pays(share) else "float32"
        note(f"computing in {compute}: {_in_words(share, engine.device)}")
        return engine.computing_in(compute)
    if engine.compute == "bfloat16" and engine.device == "cpu" and (share := look("cpu")) > 1:
        note(
            f"computing in bfloat16, as the recipe says: {_in_words(share, 'cpu')}; "
            "--set engine.compute=float32 is faster, and computes other numbers"
        )
    return engine


def _can_be_asked(engine: EngineConfig) -> bool:
    """Return whether the device that computes is here."""
    return engine.device == "cpu" or not isinstance(engine, RayEngineConfig)


def _in_words(share: float, device: str) -> str:
    if device != "cpu":
        return f"this GPU {'has' if pays(share) else 'lacks'} units for bfloat16"
    return f"products in bfloat16 take {share:.2g} times float32's time on this processor"
