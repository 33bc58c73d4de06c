"""The command `reasonrl view`. Registered by `app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_RUNS = Path("runs")


def view(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Runs, or directories of runs; ./runs if left out.", metavar="[RUN...]"
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="A port of this machine.")] = 8265,
    stays_closed: Annotated[
        bool, typer.Option("--no-open", help="Print the address, and open no browser.")
    ] = False,
) -> None:
    """Show runs in a browser, live: curves, every rollout, every token. Writes nothing.

    The page is on this machine alone, below a token in its address.
    """
    from reasonrl.run.config import runs_in
    from reasonrl.view.serve import serve

    found = [run.resolve() for path in runs or [_RUNS] for run in runs_in(path)]
    serve(found, port=port, opens=not stays_closed, say=typer.echo)
