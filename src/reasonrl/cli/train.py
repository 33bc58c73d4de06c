"""Commands on runs: `train`, `resume`, `status`, `doctor`, `report`, `show-config`.

Heavy imports happen inside the commands, so that `--help` and `show-config` are quick.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.arguments import Address, Overrides, RecipePath, RunDirectory
from reasonrl.cli.endings import ExitCode, continuable
from reasonrl.run.layout import PAGE, SUMMARY, is_run

if TYPE_CHECKING:
    from reasonrl.api import Run
    from reasonrl.terminal import Console


_WATCH_S = 5.0  # between two looks of `status --watch`


def train(
    recipe: RecipePath,
    overrides: Overrides = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where the run is kept; runs/NAME-DATE if left out.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show it, and write nothing.")
    ] = False,
    address: Address = None,
    branch_of: Annotated[
        str,
        typer.Option("--from", help="Begin with the weights of RUN or RUN@STEP.", metavar="RUN"),
    ] = "",
    state_of: Annotated[
        str,
        typer.Option(
            "--from-state",
            help="Begin where RUN or RUN@STEP stands: weights, optimizer, steps and record.",
            metavar="RUN",
        ),
    ] = "",
) -> None:
    """Train a model as a recipe says."""
    from reasonrl import api
    from reasonrl.api.calls import run_directory
    from reasonrl.cli.show.recipe import show_recipe
    from reasonrl.terminal import Console

    console = Console()
    parsed = api.load_recipe(recipe, overrides or ())
    show_recipe(console, parsed)
    directory = run_dir or run_directory(parsed)
    if dry_run:
        from reasonrl.launch.rehearse import rehearse

        rehearse(parsed, directory, console, branch_of=branch_of, state_of=state_of)
        return
    with continuable(partial(_how_to_continue, directory)):
        _end(
            api.train(
                parsed,
                directory,
                start_from=branch_of,
                state_from=state_of,
                address=address,
                console=console,
            ),
            console,
        )


def resume(
    run: RunDirectory,
    address: Address = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change what may change, e.g. engine.threads=4 or stage.2.steps=90."
        ),
    ] = None,
) -> None:
    """Continue a run that was stopped, from its newest checkpoint."""
    from reasonrl import api
    from reasonrl.terminal import Console

    console = Console()
    with continuable(partial(_how_to_continue, run)):
        _end(api.resume(run, overrides=overrides or (), address=address, console=console), console)


def status(
    runs: Annotated[
        list[Path], typer.Argument(help="Runs, or directories that hold runs.", metavar="RUN...")
    ],
    is_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each run.")
    ] = False,
    is_watching: Annotated[
        bool, typer.Option("--watch", help="Go on while a run trains; print what changes.")
    ] = False,
) -> None:
    """Show runs: alive or not, how far, what is wrong. Exits with 1 if one is silent."""
    from reasonrl.cli.show.status import as_json, show_status, show_statuses
    from reasonrl.run.status import read_statuses
    from reasonrl.terminal import Console

    console, shown = Console(), None
    while True:
        states = read_statuses(runs)
        steps = [(state.phase, state.step) for state in states.values()]
        if steps != shown:
            shown = steps
            if is_json:
                for run, state in states.items():
                    typer.echo(as_json(run, state))
            elif len(states) == 1:
                show_status(console, *states.values())
            else:
                show_statuses(console, states)
        if not is_watching or all(state.phase != "running" for state in states.values()):
            break
        time.sleep(_WATCH_S)
    if any(state.phase == "silent" for state in states.values()):
        raise typer.Exit(ExitCode.NO)


def doctor(
    run: RunDirectory,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each finding.")
    ] = False,
) -> None:
    """Say what is wrong with a run, since when, why, and the command that would cure it.

    Exits with 0 if nothing is found, 1 if something is, 2 where there is no run.
    """
    from reasonrl.cli.show.doctor import as_json, show_prescriptions
    from reasonrl.run.prescriptions import examine_run
    from reasonrl.terminal import Console

    found, console = examine_run(run), Console()
    if is_json:
        for each in found:
            typer.echo(as_json(each))
    elif found:
        show_prescriptions(console, found)
    else:
        console.note("nothing found: docs/doctor.md lists what was looked for")
    if found:
        raise typer.Exit(ExitCode.NO)


def report(
    paths: Annotated[
        list[Path], typer.Argument(help="Runs, or directories of runs.", metavar="RUN...")
    ],
) -> None:
    """Write the page of a run again, or the pages of a directory of runs and an overview.

    Works while a run trains, after a kill and after an error.
    """
    from reasonrl.launch.report import write_pages

    for path in paths:
        typer.echo(write_pages(path)[0])


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


def _how_to_continue(directory: Path) -> str:
    """Return how a run is continued, nothing where no run has been made."""
    return f"continue with: reasonrl resume {directory}" if is_run(directory) else ""


def _end(run: Run, console: Console) -> None:
    """Report how a run ended; exit with STOPPED when a person stopped it."""
    if run.is_finished:
        console.note(f"done: {run.directory / SUMMARY}, {run.directory / PAGE}")
        return
    console.note(f"stopped after step {run.status.step}; {_how_to_continue(run.directory)}")
    raise typer.Exit(ExitCode.STOPPED)
