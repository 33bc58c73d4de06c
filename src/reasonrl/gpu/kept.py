"""The files of a check: a result for each row, and check.json with all of them.

They are read back as untrusted text: a directory may come from another machine or be spoiled.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from reasonrl import __version__
from reasonrl.atomic import read_record, write_atomic
from reasonrl.errors import ConfigError
from reasonrl.gpu.row import (
    CheckReport,
    CheckSetting,
    RowAnswer,
    RowResult,
    answer_path,
    result_path,
)

CHECK, PAGE = "check.json", "check.html"

_REPORT = TypeAdapter(CheckReport)
_RESULT = TypeAdapter(RowResult)
_ANSWER = TypeAdapter(RowAnswer)
_NEW = "delete the file, or pass another --out"


def write_result(out: Path, result: RowResult) -> None:
    """Write a row's result. A number that is not finite is written as a word."""
    write_atomic(result_path(out, result.name), _text(_RESULT.dump_json(result, indent=1)))


def read_result(out: Path, name: str) -> RowResult | None:
    """Return a row's result, None when there is none; CheckpointError when it is spoiled."""
    path = result_path(out, name)
    if not path.exists():
        return None
    return read_record(path, _RESULT, expected="the result of a row", remedy=_NEW)


def write_answer(out: Path, name: str, answer: RowAnswer) -> None:
    """Leave a row's answer for the process that asked it."""
    path = answer_path(out, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, _text(_ANSWER.dump_json(answer)))


def read_answer(out: Path, name: str) -> RowAnswer:
    """Return the answer that a row's process left; CheckpointError when there is none."""
    return read_record(
        answer_path(out, name), _ANSWER, expected="the answer of the row", remedy="read its log"
    )


def write_report(out: Path, setting: CheckSetting, rows: tuple[RowResult, ...]) -> CheckReport:
    """Write check.json and return what it holds."""
    report = CheckReport(reasonrl=__version__, setting=setting, rows=rows)
    write_atomic(out / CHECK, _text(_REPORT.dump_json(report, indent=1)))
    return report


def kept_setting(out: Path) -> CheckSetting | None:
    """Return what the check in a directory is about, None when there is no check."""
    path = out / CHECK
    if not path.exists():
        return None
    return read_record(path, _REPORT, expected="a check", remedy=_NEW).setting


def check_same(out: Path, kept: CheckSetting | None, asked: CheckSetting) -> None:
    """Raise ConfigError when a directory holds the answers of another device or model."""
    if kept is None or kept == asked:
        return
    raise ConfigError(
        f"holds answers for {_words(kept)}, and now {_words(asked)} is asked about",
        where=str(out),
        expected="the same device, GPUs and model in all calls with one --out",
        remedy="pass another --out, or the options of the first call",
    )


def _words(setting: CheckSetting) -> str:
    gpus = f" ({setting.gpus} GPUs)" if setting.device == "cuda" else ""
    return f"--device {setting.device}{gpus} --model {setting.model}"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8") + "\n"
