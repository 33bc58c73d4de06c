"""The command `reasonrl`. Parses, prints errors, sets exit codes; the work is done elsewhere.

Heavy imports happen inside the commands, so that `--help` and `show-config` are quick.
Exit codes: 0 done, 1 a bug, 2 something the user can mend, 130 stopped by a person.
"""

from __future__ import annotations

import errno
import sys

import typer

from reasonrl.cli import data, evaluate, plan, study, train, verify
from reasonrl.errors import ReasonRLError

app = typer.Typer(
    name="reasonrl",
    help="Reinforcement learning that makes language models reason.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("train")(train.train)
app.command("resume")(train.resume)
app.command("status")(train.status)
app.command("show-config")(train.show_config)
app.command("plan")(plan.plan)
app.command("eval")(evaluate.evaluate)
app.command("export")(evaluate.export)
app.add_typer(data.data_app, name="data")
app.command("study")(study.study)
app.add_typer(study.lab_app, name="lab")
app.command("verify")(verify.verify)
app.add_typer(verify.sandbox_app, name="sandbox")


def main() -> None:
    """Run the command line; errors a user can mend are printed without a traceback."""
    try:
        app()
    except ReasonRLError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{error.filename or 'disk'}: {error.strerror}; free space or choose another place")


def _fail(text: str) -> None:
    typer.secho(f"error: {text}", fg="red", err=True)
    sys.exit(2)
