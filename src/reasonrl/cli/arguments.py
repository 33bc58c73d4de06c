"""What several commands take from the command line, and what they say when they are stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[Path, typer.Argument(help="A recipe in TOML.", metavar="RECIPE.toml")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one value, e.g. --set seed=2 or --set stage.1.steps=5."),
]
Address = Annotated[
    str | None,
    typer.Option(help="A Ray cluster's, or `auto` on one of its nodes; else this machine alone."),
]
RunDirectory = Annotated[Path, typer.Argument(help="The directory of a run.", metavar="RUN")]
