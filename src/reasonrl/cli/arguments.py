"""What several commands take from the command line, and what they say when they are stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[
    str,
    typer.Argument(
        help="A recipe file, or the name of a shipped recipe, e.g. tiny.", metavar="RECIPE"
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one value, e.g. --set seed=2 or --set stage.1.steps=5."),
]
Address = Annotated[
    str | None,
    typer.Option(help="A Ray cluster's, or `auto` on one of its nodes; else this machine alone."),
]
RunDirectory = Annotated[Path, typer.Argument(help="The directory of a run.", metavar="RUN")]
