"""Small rows whose processes are one-line programs, and what asks them."""

from __future__ import annotations

import sys
from pathlib import Path

from reasonrl.gpu.check import CheckRun
from reasonrl.gpu.row import CheckSetting, GpuRow, Needs, answer_path
from reasonrl.gpu.sight import Sight

SETTING = CheckSetting(device="cpu", gpus=0, model="tiny")
NOTHING = Sight(device="cpu", gpus=0, has_vllm=False, has_ray=False)


def a_row(name: str, *, limit_s: float = 60.0, estimate_s: float = 1.0, **needs) -> GpuRow:
    return GpuRow(
        name=name,
        question=f"What of {name}?",
        estimate_s=estimate_s,
        cpu_estimate_s=estimate_s,
        limit_s=limit_s,
        needs=Needs(**needs),
    )


def answering(out: Path, name: str, value: float = 1.0, high: float | None = 2.0) -> str:
    """A program that leaves an answer of one number, and its name in a list of what was asked."""
    figure = {"name": "a number", "value": value, "high": high}
    return (
        f"import json; open({str(out / 'asked')!r}, 'a').write({name + ' '!r});"
        f"open({str(answer_path(out, name))!r}, 'w').write(json.dumps({{'figures': [{figure!r}]}}))"
    ).replace(": nan,", ": float('nan'),")


def asking(out: Path, programs: dict[str, str], sight: Sight = NOTHING, **given) -> CheckRun:
    """How rows are asked whose processes are these programs; all others answer well."""
    out.mkdir(exist_ok=True)
    options = {"note": lambda _text: None, **given}
    return CheckRun(
        out=out,
        setting=SETTING,
        sight=sight,
        command=lambda row: [
            sys.executable,
            "-c",
            programs.get(row.name) or answering(out, row.name),
        ],
        **options,
    )


def asked(out: Path) -> list[str]:
    """The rows that were asked so far, in order."""
    path = out / "asked"
    return path.read_text().split() if path.exists() else []
