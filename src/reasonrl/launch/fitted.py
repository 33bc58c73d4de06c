"""Write a recipe with the settings that a plan found, so that it fits on the GPUs of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.errors import ConfigError, RefusedError, StorageError
from reasonrl.planning.plan import Plan
from reasonrl.recipe.derived import derived_recipe


def check_target(out: Path) -> None:
    """Raise ConfigError for a file that no recipe can be written to; an existing file is kept."""
    where = f"--write {out}"
    if out.suffix != ".toml":
        raise ConfigError(
            "a recipe's file ends in .toml", where=where, remedy=f"pass --write {out}.toml"
        )
    if out.exists() or out.is_symlink():
        raise ConfigError(
            "this file is there already", where=where, remedy="remove it, or name another file"
        )
    if not out.parent.is_dir():
        raise ConfigError(
            "no such directory", where=where, remedy=f"make it: mkdir -p {out.parent}"
        )


def write_fitted(out: Path, recipe: Path, overrides: Sequence[str], plan: Plan) -> None:
    """Write a recipe that extends another one by overrides and by the changes of a plan.

    Raises ConfigError for a plan without a GPU, and RefusedError where no change makes it fit.
    """
    if plan.gpu is None:
        raise ConfigError(
            "on a CPU there is nothing to fit",
            where='engine.device = "cpu"',
            expected="a recipe for GPUs",
            remedy="pass --set engine.device=cuda",
        )
    if plan.fitting is None:
        raise RefusedError("no settings were found that fit; nothing was written", where=str(out))
    gpus = plan.gpu.label(plan.fitting.gpus)
    title = f"# {plan.name} with settings that are planned to fit on {gpus}.\n"
    try:
        write_atomic(out, title + derived_recipe(recipe, [*overrides, *plan.changes], out))
    except OSError as error:
        raise StorageError(
            f"could not write the recipe: {error}", where=str(out), remedy="free space there"
        ) from error
