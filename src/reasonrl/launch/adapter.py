"""The adapters of a run with `[model.lora]`, taken out of a checkpoint as peft reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

from reasonrl.engines.tensor_files import read_whole
from reasonrl.engines.weights import WEIGHT
from reasonrl.launch.actors import lora_settings
from reasonrl.launch.models import NamedModel
from reasonrl.models.lora import save_adapter
from reasonrl.recipe import Recipe
from reasonrl.run import checkpoint
from reasonrl.run.layout import ADAPTER, CHECKPOINTS, checkpoint_paths


def write_adapter(run: Path, recipe: Recipe) -> None:
    """Write the newest checkpoint's adapters into a run; a run without adapters gets nothing."""
    if recipe.model.lora is not None:
        _write(checkpoint_paths(run / CHECKPOINTS)[-1], recipe, run / ADAPTER)


def export_adapter(named: NamedModel, recipe: Recipe, directory: Path) -> Path | None:
    """Write the adapters of a run's model into an export; return where, None without adapters."""
    if recipe.model.lora is None or named.run is None:
        return None
    target = directory / ADAPTER
    if named.checkpoint is None:
        shutil.copytree(named.run / ADAPTER, target)
    else:
        _write(checkpoint.load(named.checkpoint).path, recipe, target)
    return target


def _write(point: Path, recipe: Recipe, directory: Path) -> None:
    assert recipe.model.lora is not None
    weights = {
        name.removeprefix(WEIGHT): value
        for name, value in read_whole(point).items()
        if name.startswith(WEIGHT)
    }
    save_adapter(directory, weights, lora_settings(recipe.model.lora), base=recipe.model.name)
