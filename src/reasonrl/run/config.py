"""A run's config.toml: its recipe, resolved, with the format of the directory.

A copy beside it holds the recipe as the run took it. Only the run writes the copy, so the two
differ where a person edited config.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.errors import CheckpointError
from reasonrl.recipe import Recipe
from reasonrl.recipe.tables import FORMAT
from reasonrl.recipe.toml import dump_recipe, load_recipe
from reasonrl.run.layout import CONFIG, TAKEN, is_run


def read_config(directory: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return a run's recipe; CheckpointError when the directory holds no run."""
    check_is_run(directory)
    return load_recipe(directory / CONFIG, overrides)


def taken_config(directory: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe as the run took it, which is config.toml in a run of an older version."""
    taken = directory / TAKEN
    return load_recipe(taken, overrides) if taken.is_file() else read_config(directory, overrides)


def check_is_run(directory: Path) -> None:
    """Raise CheckpointError when a directory holds no run."""
    if not is_run(directory):
        raise CheckpointError(
            "no run here",
            where=str(directory),
            expected=f"a directory with {CONFIG}, as `reasonrl train` makes it",
            remedy="check the path, or list the runs with `ls runs`",
        )


def runs_in(path: Path) -> list[Path]:
    """Return the run that a path is, or the runs in the directory that it is.

    Raises CheckpointError for a path that is no run and holds none.
    """
    if is_run(path):
        return [path]
    runs = sorted(filter(is_run, path.iterdir())) if path.is_dir() else []
    if not runs:
        raise CheckpointError(
            "no run here",
            where=str(path),
            expected="a run, or a directory of runs",
            remedy="check the path, list the runs with `ls runs`, or train first: "
            "`reasonrl train tiny`",
        )
    return runs


def write_config(directory: Path, recipe: Recipe) -> None:
    """Write config.toml and its copy in today's format, unless they hold just that already."""
    text = f"format = {FORMAT}\n{dump_recipe(recipe)}"
    # With config.toml the directory is a run, so the copy comes first.
    for path in (directory / TAKEN, directory / CONFIG):
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_atomic(path, text)
