"""A sheet for people: some problems of a data set, and the report's four questions about each.

The answers go into the CSV beside the sheet, which any spreadsheet opens. Pure.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence

from reasonrl.curation.rows import Candidate
from reasonrl.report.drawing.frame import cut, document
from reasonrl.report.drawing.svg import escape_text

QUESTIONS = ("clear", "complete", "formatted", "relevant")
_ASKED = {
    "clear": "Is it clear what is asked?",
    "complete": "Is everything given that is needed?",
    "formatted": "Is the text whole and readable?",
    "relevant": "Is it free of what does not belong, such as the answer?",
}


def render_sheet(name: str, rows: Sequence[Candidate]) -> str:
    """Return the sheet as HTML, to be read on a screen or printed."""
    asked = "".join(f"<li><b>{key}</b>: {text}</li>" for key, text in _ASKED.items())
    body = [
        f"<h1>{escape_text(name)}: {len(rows)} problems to read</h1>",
        f"<p>Write y or n for each question into sheet.csv.</p><ol>{asked}</ol>",
        *(_problem(number, row) for number, row in enumerate(rows, start=1)),
    ]
    return document(f"{name}: sheet", body)


def render_table(rows: Sequence[Candidate]) -> str:
    """Return the CSV to fill in."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["uid", *QUESTIONS, "comment"])
    writer.writerows([row.uid, "", "", "", "", ""] for row in rows)
    return text.getvalue()


def read_answers(text: str, known: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return the counts (yes, answered) of every question in a filled CSV.

    Problems that are not `known` and answers that are neither y nor n do not count. Of several
    lines on a problem the last one counts.
    """
    # Some spreadsheets save semicolons.
    separator = ";" if text.partition("\n")[0].count(";") > 1 else ","
    lines = csv.DictReader(io.StringIO(text), delimiter=separator)
    rows = {row.get("uid"): row for row in lines if row.get("uid") in known}.values()
    given = {
        question: [str(row.get(question) or "").strip().lower()[:1] for row in rows]
        for question in QUESTIONS
    }
    return {
        question: (answers.count("y"), answers.count("y") + answers.count("n"))
        for question, answers in given.items()
    }


def _problem(number: int, row: Candidate) -> str:
    boxes = " ".join(f"\u2610 {question}" for question in QUESTIONS)
    return (
        f'<div class="card sample"><p><b>{number}. {escape_text(row.uid)}</b> '
        f'<span class="quiet">{escape_text(row.source)}</span></p><pre>{cut(row.problem, 4_000)}'
        f"</pre><p>Answer: {cut(row.answer, 400)}</p><p>{boxes}</p></div>"
    )
