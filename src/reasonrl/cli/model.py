"""The command `reasonrl model check`. Heavy imports happen inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reasonrl.cli.endings import ExitCode

if TYPE_CHECKING:
    from reasonrl.admission.look import ModelLook
    from reasonrl.terminal import Console

model_app = typer.Typer(help="Which models can be trained.", no_args_is_help=True)


@model_app.callback()
def _group() -> None:
    """Which models can be trained."""


@model_app.command("check")
def check(
    name: Annotated[
        str,
        typer.Argument(
            help="A directory, a run, a hub id, pypi:... or tiny:FAMILY.", metavar="NAME"
        ),
    ],
    backend: Annotated[
        Literal["auto", "native", "transformers"],
        typer.Option(help="The backend to ask for, as model.backend in a recipe."),
    ] = "auto",
    without_ranks: Annotated[
        bool, typer.Option("--no-ranks", help="Do not measure two FSDP2 ranks: half a minute less.")
    ] = False,
) -> None:
    """Say whether a model can be trained, how, and how near that is to plain transformers.

    Exits with 0 if it can, 1 with the reason if not, 2 where NAME leads to no model.
    """
    from reasonrl.admission.look import look
    from reasonrl.terminal import Console

    console = Console()
    seen = look(name, backend)
    width = max(len(subject) for subject, _ in seen.facts)
    for subject, sentence in seen.facts:
        console.note(f"{subject:{width}}  {sentence}")
    is_right = _measure(console, seen, with_ranks=not without_ranks)
    console.note(f"admitted: {seen.model.backend}" if is_right else "refused: the numbers differ")
    if not is_right:
        raise typer.Exit(ExitCode.NO)


def _measure(console: Console, seen: ModelLook, *, with_ranks: bool) -> bool:
    """Print each way's distance from plain transformers; return whether rounding explains all."""
    from reasonrl.admission.agreement import DEEP
    from reasonrl.admission.check import distances, is_near, trial_of

    is_right = True
    with trial_of(seen) as trial:
        if trial is None:
            console.note("not measured: neither its weights nor two of its layers fit here")
            return True
        console.note(f"measured against plain transformers in float32, with {trial.what}:")
        for distance in distances(seen, trial, with_ranks=with_ranks):
            gradient = "" if distance.gradient is None else f", gradient {distance.gradient:.1e}"
            verdict = "" if is_near(distance) else f"  TOO FAR (at most {DEEP[0]:g}, {DEEP[1]:g})"
            console.note(f"  {distance.way:16}  {distance.nats:.1e} nats{gradient}{verdict}")
            is_right &= is_near(distance)
    return is_right
