"""Show the rows of the check of a GPU, and what they answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from reasonrl.gpu.row import RowAnswer
from reasonrl.report.drawing.scale import duration_text
from reasonrl.terminal import Console, plain_text

if TYPE_CHECKING:
    from reasonrl.gpu.row import CheckReport, GpuRow, RowResult


def show_rows(console: Console, rows: Iterable[GpuRow]) -> None:
    """List the rows with their questions and estimates."""
    table = Table("row", "question", "on a GPU", "on a CPU with tiny")
    for row in rows:
        on_gpu = "-" if row.needs.elsewhere else duration_text(row.estimate_s)
        on_cpu = duration_text(row.cpu_estimate_s) if row.cpu_estimate_s else "-"
        table.add_row(row.name, row.question, on_gpu, on_cpu)
    console.print(table)


def show_results(console: Console, report: CheckReport) -> None:
    """Print a table of all rows: answer, bound, verdict, time; each number has a line."""
    table = Table("row", "answer", "bound", "verdict", "time")
    for row in report.rows:
        lines = _lines(row)
        seconds = duration_text(row.seconds) if row.seconds else "-"
        for number, (answer, bound) in enumerate(lines, start=1):
            head = (row.name, row.verdict, seconds) if number == 1 else ("", "", "")
            cells = (head[0], answer, bound, *head[1:])
            table.add_row(
                *(Text(plain_text(cell)) for cell in cells), end_section=number == len(lines)
            )
    console.print(table)


def _lines(row: RowResult) -> list[tuple[str, str]]:
    """Return the answer of a row with its bounds, line by line; one empty line without any."""
    answer = row.answer or RowAnswer()
    lines = [(f"{figure.name}: {figure.shown}", figure.judged) for figure in answer.figures]
    return [*lines, *((f"{name}: {value}", "") for name, value in answer.facts)] or [("", "")]
