"""`data check`: rows whose key no verifier reads are listed before a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasonrl.errors import DataError
from reasonrl.launch.check_keys import Reading, check_keys


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def plain(answer: str, **more: object) -> dict[str, object]:
    return {"id": answer, "prompt": "?", "answer": answer, **more}


@pytest.mark.parametrize(
    "answer",
    ["42", r"\frac{1}{2}", r"\text{Tuesday}", "(B) 12", r"x \equiv 7 \pmod{12}", '["1/2", "0.5"]',
     r"\begin{cases}1 & x>0\\0 & x\le 0\end{cases}", r"1, 2, \ldots, n", "5个", r"45^\circ 30'",
     r"\frac{\partial f}{\partial x}"],
)  # fmt: skip
def test_a_key_that_a_reader_knows_is_not_refused(tmp_path: Path, answer: str) -> None:
    target = write(tmp_path / "rows.jsonl", plain(answer))

    assert check_keys(target, Reading(), model=None).refused == ()


def test_refused_rows_keep_their_order_and_say_why(tmp_path: Path) -> None:
    target = write(
        tmp_path / "rows.jsonl",
        plain(r"\frac{1}{"),
        {"id": "2", "prompt": "?", "gold": "1"},
        plain("42"),
        plain("9^{9^{9}}"),
        plain('{"inputs": []}', kind="code"),
    )

    report = check_keys(target, Reading(), model=None)

    assert report.n_rows == 5
    assert [row.where for row in report.refused] == [f"rows.jsonl:{n}" for n in (1, 2, 4, 5)]
    reasons = [row.reason for row in report.refused]
    assert "no reader knows" in reasons[0]
    assert "gold" in reasons[1]
    assert "digits" in reasons[2]


def test_the_fields_of_other_schemas_are_named(tmp_path: Path) -> None:
    target = write(tmp_path / "rows.jsonl", {"q": "?", "a": "2 + 2 = #### 4"}, {"q": "?", "a": "4"})

    report = check_keys(
        target, Reading(fields={"prompt": "q", "answer": "a"}, answer_after="####"), model=None
    )

    assert [row.where for row in report.refused] == ["rows.jsonl:2"]


def test_all_sources_of_a_recipe_are_checked() -> None:
    report = check_keys("tiny", Reading(), model=None)

    assert report.n_rows > 0
    assert report.refused == ()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        check_keys(str(tmp_path / "rows.jsonl"), Reading(), model=None)
