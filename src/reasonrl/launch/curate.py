"""Build a training set as a recipe says, in a directory of its own, resumable at any instant."""

from __future__ import annotations

from pathlib import Path

from reasonrl.console import Console
from reasonrl.curation.build import Build, build
from reasonrl.curation.manifest import Manifest
from reasonrl.curation.recipe import DataRecipe
from reasonrl.errors import StorageError
from reasonrl.launch.process import only_process


def curate(recipe: DataRecipe, directory: Path, console: Console) -> Manifest:
    """Make the training set, and return what it is made of."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot be made: {error.strerror}", where=str(directory), remedy="choose another --out"
        ) from error
    with only_process(directory):
        return build(
            Build(recipe=recipe, directory=directory, phase=console.phase, note=console.note)
        )
