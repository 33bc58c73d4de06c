"""How commands end: their exit codes, and what a stopped command says about continuing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from reasonrl.errors import EngineError, NotFiniteError, StorageError, VerifierError


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0  # done, or the answer is yes
    NO = 1  # the answer is no: findings, differs, does not fit, refused
    MENDABLE = 2  # the user can mend what the message names
    BUG = 70  # a bug of reasonrl; its traceback is printed
    STOPPED = 130  # a person stopped the command


@contextmanager
def continuable(
    how: Callable[[], str] = lambda: "rerun the same command to continue",
) -> Iterator[None]:
    """Tell a person how to continue when a person or the outside world ends a command.

    `how` is asked at that moment and returns an imperative, empty when there is nothing to
    continue.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"stopped; {how() or 'nothing was started yet'}")
        raise typer.Exit(ExitCode.STOPPED) from None
    except NotFiniteError:
        raise  # a resume would go through the same numbers again
    except (StorageError, EngineError, VerifierError, OSError):
        if instruction := how():
            typer.echo(f"fix the error below, then {instruction}", err=True)
        raise
