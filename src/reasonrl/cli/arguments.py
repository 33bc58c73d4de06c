"""Arguments that several commands take, and the value of a time budget."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from reasonrl.errors import ConfigError

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

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(budget: str | None) -> float | None:
    """Return the seconds of a time budget, None without one; ConfigError when it is no time."""
    if budget is None:
        return None
    match = _DURATION.fullmatch(budget)
    if match is None:
        raise ConfigError(
            f"--budget {budget}",
            expected="a time such as 90s, 30m or 2h",
            remedy="pass such a time",
        )
    return float(match[1]) * _SECONDS[match[2]]
