"""The commands `reasonrl train`, `resume`, `status` and `show-config`. Registered by `cli.app`.

Heavy imports happen inside the commands, so that `--help` and `show-config` are quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.arguments import Address, Overrides, RecipePath, RunDirectory
from reasonrl.errors import EngineError, StorageError, VerifierError
from reasonrl.run.layout import CONFIG, PAGE, SUMMARY

if TYPE_CHECKING:
    from reasonrl.launch.train import Outcome
    from reasonrl.terminal import Console


def train(
    recipe: RecipePath,
    overrides: Overrides = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where the run is kept; runs/NAME-DATE if left out.")
    ] = None,
    address: Address = None,
) -> None:
    """Train a model as a recipe says."""
    import time

    from reasonrl.recipe.named import recipe_path
    from reasonrl.recipe.toml import load_recipe

    parsed = load_recipe(recipe_path(recipe), overrides or ())
    directory = run_dir or Path("runs") / f"{parsed.name}-{time.strftime('%Y%m%d-%H%M%S')}"

    from reasonrl.cli.show.recipe import show_recipe
    from reasonrl.launch.train import train as launch
    from reasonrl.terminal import Console

    console = Console()
    show_recipe(console, parsed)
    with _resumable(directory):
        _end(launch(parsed, directory, console, address=address), console)


def resume(
    run: RunDirectory,
    address: Address = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Run elsewhere from here on, e.g. --set engine.learner.ranks=4"),
    ] = None,
) -> None:
    """Go on with a run that was stopped, from its newest checkpoint."""
    from reasonrl.launch.train import resume as launch
    from reasonrl.terminal import Console

    console = Console()
    with _resumable(run):
        _end(launch(run, console, address=address, overrides=overrides or ()), console)


def status(
    run: RunDirectory,
) -> None:
    """Say how a run is: alive or not, how far, its processes. Leave with 1 if it is silent."""
    from reasonrl.cli.show.status import show_status
    from reasonrl.run.status import read_status
    from reasonrl.terminal import Console

    found = read_status(run)
    show_status(Console(), found)
    if found.phase == "silent":
        raise typer.Exit(1)


def show_config(recipe: RecipePath, overrides: Overrides = None) -> None:
    """Print a recipe as it would run: everything resolved, with the derived numbers."""
    from reasonrl.cli.show.recipe import show_recipe
    from reasonrl.recipe.named import recipe_path
    from reasonrl.recipe.toml import dump_recipe, is_eval_recipe, load_eval_recipe, load_recipe
    from reasonrl.terminal import Console

    path = recipe_path(recipe)
    if not overrides and is_eval_recipe(path):
        typer.echo(dump_recipe(load_eval_recipe(path)))
        return
    parsed = load_recipe(path, overrides or ())
    typer.echo(dump_recipe(parsed))
    show_recipe(Console(), parsed)


@contextmanager
def _resumable(directory: Path) -> Iterator[None]:
    """Say how to go on when something outside the recipe ends a run."""
    try:
        yield
    except KeyboardInterrupt:
        has_run = (directory / CONFIG).exists()
        then = f"go on with: reasonrl resume {directory}" if has_run else "nothing was started yet"
        typer.echo(f"stopped at once; {then}")
        raise typer.Exit(130) from None
    except (StorageError, EngineError, VerifierError, OSError):
        if (directory / CONFIG).exists():
            typer.echo(f"once that is mended, go on with: reasonrl resume {directory}", err=True)
        raise


def _end(outcome: Outcome, console: Console) -> None:
    """Say how it ended; leave with 130 when a person stopped it."""
    if outcome.is_finished:
        console.note(f"done: {outcome.directory / SUMMARY}, {outcome.directory / PAGE}")
        return
    console.note(
        f"stopped after step {outcome.step}; go on with: reasonrl resume {outcome.directory}"
    )
    raise typer.Exit(130)
