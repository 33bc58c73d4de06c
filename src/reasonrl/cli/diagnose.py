"""The commands `replay` and `audit`. Registered by `app`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.arguments import Address, RunDirectory
from reasonrl.cli.endings import ExitCode

if TYPE_CHECKING:
    pass


def replay(
    run: RunDirectory,
    step: Annotated[int, typer.Option(min=1, help="The step to repeat.")],
    rollout: Annotated[
        str | None,
        typer.Option(
            help="Draw one rollout again instead, and show how it is judged.", metavar="ID"
        ),
    ] = None,
    samples_again: Annotated[
        bool, typer.Option("--sample", help="Sample the step again, too.")
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    address: Address = None,
) -> None:
    """Repeat a step of a run, and hold every number that it recorded against what comes out.

    Exits with 0 if all are equal, 1 if something differs, 2 if the step cannot be repeated.
    """
    from reasonrl.cli.show.diagnose import replay_as_json, show_redrawn, show_replayed
    from reasonrl.diagnose.redraw import redraw
    from reasonrl.diagnose.replay import replay as repeat
    from reasonrl.terminal import Console

    console = Console()
    quiet = Console(is_quiet=True) if is_json else console
    if rollout is not None:
        drawn = redraw(run, step, rollout, quiet, address=address)
        show_redrawn(console, drawn)
        _end(is_fine=not drawn.comparison.differences)
        return
    done = repeat(run, step, quiet, samples_again=samples_again, address=address)
    if is_json:
        typer.echo(replay_as_json(done))
    else:
        show_replayed(console, done)
    _end(is_fine=done.is_equal)


def audit(run: RunDirectory) -> None:
    """Check the record of a whole run: conservation of rollouts, counts, hashes and order.

    Reads files only. Exits with 0 if all holds, 1 if something is broken, 2 where there is no run.
    """
    from reasonrl.cli.show.diagnose import show_audited
    from reasonrl.diagnose.audit import audit as look
    from reasonrl.run.record import RunRecorder
    from reasonrl.terminal import Console

    console = Console()
    with console.phase("steps", len(RunRecorder(run).metrics())) as progress:
        found = look(run, progress)
    show_audited(console, found)
    _end(is_fine=not found.faults)


def _end(*, is_fine: bool) -> None:
    if not is_fine:
        raise typer.Exit(ExitCode.NO)
