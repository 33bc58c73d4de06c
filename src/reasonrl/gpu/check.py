"""The check: ask rows one after another, keep each answer as soon as it is there, and go on later.

A crash, a hang or a lack of memory in one row is that row's answer. Called by `cli.gpu`.
"""

from __future__ import annotations

import difflib
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from reasonrl.atomic import write_atomic
from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.gpu.kept import PAGE, read_answer, read_result, write_report, write_result
from reasonrl.gpu.page import render
from reasonrl.gpu.process import attend
from reasonrl.gpu.row import (
    CheckReport,
    CheckSetting,
    GpuRow,
    RowResult,
    RowState,
    log_path,
    work_path,
)
from reasonrl.gpu.sight import Sight
from reasonrl.report.drawing.scale import duration_text

Command: TypeAlias = Callable[[GpuRow], Sequence[str]]
"""Returns the command line that asks a row; it must leave the answer in the row's directory."""

BUDGET = "the budget was spent"
STOPPED = "the check was stopped"
_NOT_NAMED = "--only named other rows"

_LOG_LINES = 12
_REASON = 200  # characters of a reason
_SIGN_S = 30.0  # seconds between two signs of life
_BUG_LINE = "error: this is a bug of reasonrl"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """How rows are asked: where, about what, by which commands, and who hears of it."""

    out: Path
    setting: CheckSetting
    sight: Sight
    command: Command
    note: Callable[[str], None]
    sign_s: float = _SIGN_S


def chosen(rows: Sequence[GpuRow], names: Sequence[str]) -> list[str]:
    """Return the named rows' names; raise ConfigError, with the near ones, for an unknown name."""
    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise ConfigError(
                f"no row {name!r}",
                where="--only",
                expected="some of " + ", ".join(known),
                remedy=f"did you mean {' or '.join(near)}?" if near else "pass --list",
            )
    return list(names)


def check(
    rows: Sequence[GpuRow],
    asking: CheckRun,
    *,
    only: Sequence[str] = (),
    budget_s: float | None = None,
) -> tuple[CheckReport, bool]:
    """Ask the rows that have no answer yet, or the named ones; return all, and if it was stopped.

    An answer stands in the directory before the next row begins. Ctrl-C or SIGTERM ends the row
    that runs, and no further row is asked.
    """
    started = time.monotonic()
    results: dict[str, RowResult] = {}
    is_stopped = False
    for row in rows:
        kept = read_result(asking.out, row.name)
        left_s = None if budget_s is None else budget_s - (time.monotonic() - started)
        if (result := _without_asking(row, kept, asking, only, left_s, is_stopped)) is None:
            try:
                result = _asked(row, asking, left_s)
            except KeyboardInterrupt:
                is_stopped = True
                result = _unasked(row, STOPPED)
        if result is not kept:
            write_result(asking.out, result)
        results[row.name] = result
        _publish(rows, results, asking)
    return _publish(rows, results, asking), is_stopped


def _without_asking(
    row: GpuRow,
    kept: RowResult | None,
    asking: CheckRun,
    only: Sequence[str],
    left_s: float | None,
    is_stopped: bool,
) -> RowResult | None:
    """Return the result of a row that needs not, must not or cannot be asked; None for others."""
    is_answered = kept is not None and kept.state is RowState.ANSWERED
    if row.name not in only:
        if is_answered:
            return kept
        if only:
            return kept or _unasked(row, _NOT_NAMED)
    if missing := asking.sight.missing(row):
        return RowResult(name=row.name, state=RowState.NEEDS, reason=missing)
    if is_stopped:
        return kept or _unasked(row, STOPPED)
    if left_s is not None and row.estimate_on(asking.setting.device) > left_s:
        return kept or _unasked(row, BUDGET)
    return None


def _unasked(row: GpuRow, reason: str) -> RowResult:
    return RowResult(name=row.name, state=RowState.UNASKED, reason=reason)


def _asked(row: GpuRow, asking: CheckRun, left_s: float | None) -> RowResult:
    """Ask a row in its own process, and return its answer or what became of it."""
    shutil.rmtree(work_path(asking.out, row.name), ignore_errors=True)
    work_path(asking.out, row.name).mkdir(parents=True)
    limit_s = row.limit_s if left_s is None else min(row.limit_s, left_s)
    log = log_path(asking.out, row.name)
    asking.note(f"{row.name}: {row.question} (since {datetime.now().astimezone():%H:%M:%S})")
    old = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        end = attend(
            asking.command(row), log, limit_s=limit_s, on_wait=_signs(row, asking.note, asking)
        )
    finally:
        signal.signal(signal.SIGTERM, old)
    if end.is_late and limit_s < row.limit_s:
        result = _unasked(row, BUDGET)
    elif end.is_late:
        result = _failed(row, f"no answer within {duration_text(limit_s)}", log, end.seconds)
    elif end.code < 0:
        reason = f"its process was killed by {signal.Signals(-end.code).name}"
        result = _failed(row, reason, log, end.seconds)
    elif end.code:
        result = _failed(row, _last_error(log), log, end.seconds)
    else:
        result = _answered(row, asking, log, end.seconds)
    asking.note(f"{row.name}: {result.verdict} ({duration_text(end.seconds)})")
    return result


def _signs(row: GpuRow, note: Callable[[str], None], asking: CheckRun) -> Callable[[float], None]:
    """Return a function that says now and then for how long a row has been running."""
    next_s = asking.sign_s

    def sign(seconds: float) -> None:
        nonlocal next_s
        if seconds >= next_s:
            next_s += asking.sign_s
            limit = duration_text(row.limit_s)
            note(f"{row.name}: running for {duration_text(seconds)} (at most {limit})")

    return sign


def _answered(row: GpuRow, asking: CheckRun, log: Path, seconds: float) -> RowResult:
    try:
        answer = read_answer(asking.out, row.name)
    except CheckpointError as error:
        return _failed(row, f"its process ended without an answer: {error.what}", log, seconds)
    return RowResult(name=row.name, state=RowState.ANSWERED, seconds=seconds, answer=answer)


def _failed(row: GpuRow, reason: str, log: Path, seconds: float) -> RowResult:
    return RowResult(
        name=row.name,
        state=RowState.FAILED,
        seconds=seconds,
        reason=reason[:_REASON],
        log=tuple(_lines(log)[-_LOG_LINES:]),
    )


def _last_error(log: Path) -> str:
    """Return the last line of a log that says what went wrong."""
    said = [line for line in _lines(log) if line.strip() and not line.startswith(_BUG_LINE)]
    return said[-1].strip().removeprefix("error: ") if said else "its process printed nothing"


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def _publish(
    rows: Sequence[GpuRow], results: dict[str, RowResult], asking: CheckRun
) -> CheckReport:
    """Write check.json and the page as far as they are known."""
    known = tuple(results[row.name] for row in rows if row.name in results)
    report = write_report(asking.out, asking.setting, known)
    write_atomic(asking.out / PAGE, render(report, rows))
    return report
