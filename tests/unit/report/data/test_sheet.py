"""The sheet that people fill in."""

from __future__ import annotations

import pytest

from reasonrl.curation.rows import Candidate
from reasonrl.report.data.sheet import QUESTIONS, read_answers, render_sheet, render_table

ROWS = [
    Candidate(uid=uid, source="s", kind="math", problem="<b>1 + 1", answer="2")
    for uid in ("a", "b,c")
]
KNOWN = {row.uid for row in ROWS}


def test_every_problem_is_on_the_sheet_and_in_the_table() -> None:
    sheet = render_sheet("mine", ROWS)
    assert "mine: 2 problems to read" in sheet
    assert sheet.count("&lt;b&gt;1 + 1") == 2
    assert render_table(ROWS).splitlines() == [
        "uid,clear,complete,formatted,relevant,comment",
        "a,,,,,",
        '"b,c",,,,,',
    ]


@pytest.mark.parametrize("separator", [",", ";"])
def test_answers_count_as_yes_and_as_answered(separator: str) -> None:
    lines = (
        ["uid", *QUESTIONS, "comment"],
        ["a", "y", " No ", "Yes", "", "fine"],
        ['"b,c"', "n", "y", "?", "y", ""],
    )
    text = "\n".join(separator.join(line) for line in lines)
    assert read_answers(text, KNOWN) == {
        "clear": (1, 2),
        "complete": (1, 2),
        "formatted": (1, 1),
        "relevant": (1, 1),
    }


def test_unknown_problems_and_all_but_the_last_line_on_a_problem_do_not_count() -> None:
    text = "uid,clear\na,y\nz,y\na,n\n"
    assert read_answers(text, KNOWN)["clear"] == (0, 1)
    assert read_answers(render_table(ROWS), KNOWN)["clear"] == (0, 0)
