"""The command `reasonrl gpu check`, and the hidden one that answers a row in its own process.

Heavy imports happen inside the commands, and torch is loaded by the processes of rows only.
"""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.arguments import seconds_of
from reasonrl.cli.endings import ExitCode

if TYPE_CHECKING:
    from reasonrl.gpu.row import CheckReport, CheckSetting, GpuRow
    from reasonrl.terminal import Console

gpu_app = typer.Typer(help="What works on this machine's GPUs.", no_args_is_help=True)

Device = Annotated[
    str | None, typer.Option(help="cuda or cpu. Default: cuda if torch sees a GPU, else cpu.")
]
Out = Annotated[Path, typer.Option(help="Directory of answers, logs and page.")]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Ask this row, answered or not; may be given several times.", metavar="ROW"),
]
Budget = Annotated[
    str | None, typer.Option(help="Ask no row that would end after this time, e.g. 8m.")
]
Model = Annotated[
    str | None,
    typer.Option(
        help="A model directory, or tiny. Default: the quickstart's model, or tiny where it can "
        "neither be found nor fetched.",
        metavar="DIR|tiny",
    ),
]


@gpu_app.callback()
def _group() -> None:
    """What works on this machine's GPUs."""


@gpu_app.command("check")
def check(
    device: Device = None,
    out: Out = Path("runs/gpu-check"),
    only: Only = None,
    budget: Budget = None,
    model: Model = None,
    is_list: Annotated[bool, typer.Option("--list", help="Show the rows and ask none.")] = False,
) -> None:
    """Ask what only a GPU can answer. A second call goes on. Exits with 1 if an answer is bad.

    reasonrl gpu check --budget 8m
    """
    from reasonrl.cli.show.gpu import show_rows
    from reasonrl.gpu.check import CheckRun, chosen
    from reasonrl.gpu.check import check as ask_rows
    from reasonrl.gpu.rows import ROWS
    from reasonrl.gpu.sight import look
    from reasonrl.run.process import only_process
    from reasonrl.terminal import Console

    console, names, budget_s = Console(), chosen(ROWS, only or ()), seconds_of(budget)
    if is_list:
        show_rows(console, ROWS)
        return
    setting = _setting(console, out, device, model)
    out.mkdir(parents=True, exist_ok=True)
    asking = CheckRun(
        out=out,
        setting=setting,
        sight=look(setting),
        command=partial(_row_command, setting, out.resolve()),
        note=console.note,
    )
    with only_process(out):
        report, is_stopped = ask_rows(ROWS, asking, only=names, budget_s=budget_s)
    _end(console, report, out, is_stopped=is_stopped)


def _setting(console: Console, out: Path, device: str | None, model: str | None) -> CheckSetting:
    """Return what is checked: as the options say, else as in the directory's earlier calls."""
    from reasonrl.gpu.choice import model_of
    from reasonrl.gpu.kept import check_same, kept_setting
    from reasonrl.gpu.row import CheckSetting
    from reasonrl.gpu.sight import count_gpus, device_of

    kept, gpus = kept_setting(out), count_gpus()
    checked = device_of(device or (kept.device if kept else None), gpus)
    setting = CheckSetting(
        device=checked,
        gpus=gpus if checked == "cuda" else 0,
        model=model_of(model, kept.model if kept else None, console.note),
    )
    check_same(out, kept, setting)
    return setting


def _row_command(setting: CheckSetting, out: Path, row: GpuRow) -> list[str]:
    given = ("--device", setting.device, "--gpus", str(setting.gpus), "--model", setting.model)
    return [sys.executable, "-m", "reasonrl", "gpu", "row", row.name, *given, "--out", str(out)]


def _end(console: Console, report: CheckReport, out: Path, *, is_stopped: bool) -> None:
    """Show the results, where they are and how to go on; exit with the code that they mean."""
    from reasonrl.cli.show.gpu import show_results
    from reasonrl.gpu.kept import CHECK, PAGE
    from reasonrl.gpu.row import RowState

    show_results(console, report)
    console.note(f"{out / PAGE} and {out / CHECK} hold all of it; logs are in {out / 'logs'}")
    left = [row for row in report.rows if row.state is RowState.UNASKED]
    if left or report.failed:
        setting = report.setting
        command = ["reasonrl", "gpu", "check", "--device", setting.device]
        command += ["--model", setting.model, "--out", str(out)]
        what = "the rows left" if left else "the failed rows again"
        console.note(f"to ask {what}: {shlex.join(command)}")
    if is_stopped:
        raise typer.Exit(ExitCode.STOPPED)
    if not report.is_good:
        raise typer.Exit(ExitCode.NO)


@gpu_app.command("row", hidden=True)
def row(
    name: Annotated[str, typer.Argument(metavar="ROW")],
    device: Annotated[str, typer.Option()],
    gpus: Annotated[int, typer.Option(min=0)],
    model: Annotated[str, typer.Option()],
    out: Annotated[Path, typer.Option()],
) -> None:
    """Answer one row in this process, for `reasonrl gpu check`."""
    from reasonrl.gpu.asking import ask_here
    from reasonrl.gpu.row import CheckSetting
    from reasonrl.gpu.sight import device_of

    setting = CheckSetting(device=device_of(device, gpus), gpus=gpus, model=model)
    ask_here(name, setting, out)
