"""Arguments that several commands take."""

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
    typer.Option(help="Ray cluster: an address, or `auto` on one of its nodes. Default: none."),
]
RunDirectory = Annotated[Path, typer.Argument(help="Directory of a run.", metavar="RUN")]
