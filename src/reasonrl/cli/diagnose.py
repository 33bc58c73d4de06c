"""The commands `replay`, `audit` and `diff`. Registered by `app`."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from reasonrl.cli.arguments import Address, RunDirectory
from reasonrl.cli.endings import ExitCode
from reasonrl.errors import ConfigError


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


SIDE_B = "reasonrl.diff.b"
"""The key under which the runs behind `--` are kept."""


class TwoSides(TyperCommand):
    """A command whose arguments `--` parts into two sides."""

    # The type of a context is private to typer.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the runs behind `--` for the second side; options may stand behind them."""
        if "--" in args:
            at = args.index("--")
            other = [*takewhile(lambda word: not word.startswith("-"), args[at + 1 :])]
            ctx.meta[SIDE_B] = other
            args = args[:at] + args[at + 1 + len(other) :]
        return list(super().parse_args(ctx, args))


def diff(
    ctx: typer.Context,
    runs: Annotated[
        list[Path],
        typer.Argument(help="Two runs; or the runs of one side, and behind -- of the other."),
    ],
    html: Annotated[
        Path | None, typer.Option(help="Write the comparison with its curves to this page.")
    ] = None,
) -> None:
    """Say what differs between two runs, and whether it is more than seeds make.

    With several runs a side (diff A1 A2 A3 -- B1 B2 B3) an interval says so. Exits with 0 for
    noise, 1 if the sides differ, 2 for what cannot be read.
    """
    from reasonrl.atomic import write_atomic
    from reasonrl.cli.show.diff import show_diff
    from reasonrl.diagnose.diff import diff as compare
    from reasonrl.diagnose.diff_page import render_diff
    from reasonrl.terminal import Console

    other = [Path(name) for name in ctx.meta.get(SIDE_B, ())]
    a, b = (runs, other) if other else (runs[:1], runs[1:])
    if not b or (not other and len(runs) != 2):
        raise ConfigError(
            f"diff was given {len(runs)} runs and no --",
            expected="two runs, or two sides with -- between them",
            remedy="pass `A B`, or `A1 A2 -- B1 B2`",
        )
    found, console = compare(a, b), Console()
    show_diff(console, found)
    if html is not None:
        write_atomic(html, render_diff(found))
        console.note(f"curves: {html}")
    _end(is_fine=not found.shown)


def _end(*, is_fine: bool) -> None:
    if not is_fine:
        raise typer.Exit(ExitCode.NO)
