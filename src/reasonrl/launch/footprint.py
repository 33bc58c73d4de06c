"""What a run's state takes in memory and on disk, before it starts."""

from __future__ import annotations

import shutil
from pathlib import Path

from reasonrl.launch.engines import ranks_of
from reasonrl.launch.shapes import shape_of_loaded
from reasonrl.models.admission import Backend
from reasonrl.models.hf import LanguageModel
from reasonrl.planning.layout import training_of
from reasonrl.recipe import Recipe


def keeps_reference(recipe: Recipe) -> bool:
    """Return whether any stage measures its distance from the starting policy."""
    return any(stage.update.kl_coefficient > 0 for stage in recipe.stage)


def describe_memory(model: LanguageModel, recipe: Recipe) -> str:
    """Return one line on what the state needs; activations and the sampler's cache come on top."""
    if model.backend is not Backend.NATIVE:
        return _describe_counted(model, recipe)
    shape, state = shape_of_loaded(model), training_of(recipe)
    ranks = ranks_of(recipe.engine)
    size = state.weights(shape) + state.gradients(shape) + state.moments(shape)
    if keeps_reference(recipe):
        size += state.reference(shape, 4)
    parts = [f"{shape.parameters / 1e6:.1f}M parameters"]
    if recipe.model.lora is not None:
        parts.append(f"of which none learns; {state.trained(shape) / 1e6:.2f}M in adapters do")
    parts.append(f"training state {size / 1e9:.2f} GB" + (f" over {ranks} ranks" * (ranks > 1)))
    if host := state.on_host(shape):
        parts.append(f"and {host / 1e9:.2f} GB in the host's memory")
    return ", ".join(parts)


def _describe_counted(model: LanguageModel, recipe: Recipe) -> str:
    """Return what the state of a model needs whose shape has no formula: from its parameters."""
    parameters = _count(model)
    line = f"{parameters / 1e6:.1f}M parameters"
    if recipe.model.lora is not None:
        return (
            f"{line}, of which none learns; training state {4 * parameters / 1e9:.2f} GB and more"
        )
    copies = 5 if keeps_reference(recipe) else 4  # weights, gradients and two moments
    return f"{line}, training state {4 * copies * parameters / 1e9:.2f} GB"


def _count(model: LanguageModel) -> int:
    return sum(parameter.numel() for parameter in model.module.parameters())


def describe_disk(model: LanguageModel, recipe: Recipe, directory: Path) -> str:
    """Return one line on what checkpoints and the final model will take, and what is free.

    A checkpoint has the float32 weights that learn and two moments, and a new one is written before
    an old one goes. Rollouts come on top.
    """
    if model.backend is Backend.NATIVE:
        shape, state = shape_of_loaded(model), training_of(recipe)
        parameters = shape.parameters
        point = 4.0 * state.trained(shape) + state.moments(shape) + state.on_host(shape)
    else:
        parameters = _count(model)
        point = 0.0 if recipe.model.lora else 12.0 * parameters
    points = recipe.checkpoint.keep + 1 + bool(recipe.checkpoint.best)
    whole = points * point + 4 * parameters
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    warning = "" if free > whole else ": TOO LITTLE; lower checkpoint.keep, or free space"
    return (
        f"disk: up to {whole / 1e9:.2f} GB ({points} checkpoints of {point / 1e9:.2f} GB and the "
        f"model), {free / 1e9:.0f} GB free{warning}"
    )
