"""The command `reasonrl`. Parses, prints errors, sets exit codes; the work is done elsewhere.

Heavy imports happen inside the commands, so that `--help` and `show-config` are quick.
`cli.endings` has the exit codes.
"""

from __future__ import annotations

import errno
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from reasonrl import __version__
from reasonrl.cli import data, diagnose, evaluate, gpu, lab, model, plan, study, train, verify, view
from reasonrl.cli.endings import ExitCode
from reasonrl.cli.usage import describe_usage
from reasonrl.errors import ReasonRLError, RefusedError

_MENDABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)

app = typer.Typer(
    name="reasonrl",
    help="Reinforcement learning that makes language models reason.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"reasonrl {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.command("train")(train.train)
app.command("resume")(train.resume)
app.command("status")(train.status)
app.command("doctor")(train.doctor)
app.command("view")(view.view)
app.command("replay")(diagnose.replay)
app.command("audit")(diagnose.audit)
app.command("diff", cls=diagnose.TwoSides)(diagnose.diff)
app.command("report")(train.report)
app.command("show-config")(train.show_config)
app.command("plan")(plan.plan)
app.command("eval")(evaluate.evaluate)
app.command("export")(evaluate.export)
app.add_typer(data.data_app, name="data")
app.command("study")(study.study)
app.add_typer(lab.lab_app, name="lab")
app.add_typer(gpu.gpu_app, name="gpu")
app.add_typer(model.model_app, name="model")
app.command("verify")(verify.verify)
app.add_typer(verify.sandbox_app, name="sandbox")


def main() -> None:
    """Run the command line. Errors that a user can mend are printed without a traceback."""
    try:
        sys.exit(app(standalone_mode=False) or ExitCode.DONE)
    except (typer.Abort, KeyboardInterrupt):
        _fail("stopped", ExitCode.STOPPED)
    except RefusedError as error:
        _fail(str(error), ExitCode.NO)
    except ReasonRLError as error:
        _fail(str(error), ExitCode.MENDABLE)
    except Exception as error:  # noqa: BLE001  (the boundary: everything else is a bug)
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.exit(ExitCode.MENDABLE)  # the help has been printed
        if hasattr(error, "format_message"):
            _fail(describe_usage(error), ExitCode.MENDABLE)
        if isinstance(error, OSError) and error.errno in _MENDABLE:
            where = error.filename or "disk"
            _fail(f"{where}: {error.strerror}; free its space or use another", ExitCode.MENDABLE)
        traceback.print_exc()
        _fail("this is a bug of reasonrl; please report it with the lines above", ExitCode.BUG)


def _fail(text: str, code: ExitCode) -> NoReturn:
    typer.secho(f"error: {text}", fg="red", err=True)
    sys.exit(code)
