"""The page of a check: one file to hand around, without network or script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reasonrl.gpu.row import CheckReport, GpuRow, RowResult
from reasonrl.report.drawing.frame import cut, document, facts, table
from reasonrl.report.drawing.scale import duration_text
from reasonrl.report.drawing.svg import escape_text

_MACHINE = "machine"


def render(report: CheckReport, rows: Sequence[GpuRow]) -> str:
    """Return the page of a check as HTML."""
    questions = {row.name: row.question for row in rows}
    setting = report.setting
    head = [
        ("device", setting.device),
        ("GPUs", setting.gpus if setting.device == "cuda" else "none asked"),
        ("model", setting.model),
        ("reasonrl", report.reasonrl),
    ]
    bad = sum(row.is_bad for row in report.rows)
    found = "no row failed, and no number is out of its bound"
    if bad:
        found = f"{bad} {'row is' if bad == 1 else 'rows are'} out of bound or failed"
    return document(
        "reasonrl gpu check",
        [
            "<h1>Does this work on this machine?</h1>",
            facts(head),
            f"<p>Of {len(report.rows)} rows, {found}.</p>",
            table(
                ("row", "answer", "bound", "verdict", "time"),
                [_cells(row, questions.get(row.name, "")) for row in report.rows],
            ),
            *(part for row in report.rows for part in _details(row)),
        ],
    )


def _cells(row: RowResult, question: str) -> tuple[str, ...]:
    figures = row.answer.figures if row.answer else ()
    return (
        f"<b>{escape_text(row.name)}</b><br><small>{escape_text(question)}</small>",
        "<br>".join(
            f"{escape_text(figure.name)} <b>{escape_text(figure.shown)}</b>" for figure in figures
        ),
        "<br>".join(escape_text(figure.judged) for figure in figures),
        cut(row.verdict, 60),
        duration_text(row.seconds) if row.seconds else "-",
    )


def _details(row: RowResult) -> Iterator[str]:
    """Yield the facts of an answer, or the reason and the last lines of a failure."""
    if row.answer and row.answer.facts:
        is_open = " open" if row.name == _MACHINE else ""
        yield (
            f"<details{is_open}><summary>{escape_text(row.name)}</summary>"
            f"{facts(row.answer.facts)}</details>"
        )
    if row.log:
        yield (
            f"<details open><summary>{escape_text(row.name)}: {escape_text(row.verdict)}</summary>"
            f"<pre>{cut(chr(10).join(row.log))}</pre></details>"
        )
