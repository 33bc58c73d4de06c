"""The examples of docs/data.md run, and the errors it shows are the ones that are raised."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reasonrl.data.problems import load_problems
from reasonrl.data.sources import GYM_TASKS
from reasonrl.errors import DataError

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


def row(name: str, **changes: object) -> str:
    return json.dumps({"id": name, "prompt": "q", "answer": "1", **changes})


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    exec("\n".join(blocks), {})


def test_the_errors_of_the_page_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()
    Path("train.jsonl").touch()
    misspelt = [
        row(f"p{i}").replace('"prompt"', '"promt"' if i in (17, 30, 99) else '"prompt"')
        for i in range(1, 121)
    ]
    repeated = [row(f"p{1 if i == 4 else i}") for i in range(1, 10)]
    for text, name, rows in zip(
        shown,
        ["mine.jsonl", "mine.jsonl", "trian.jsonl"],
        [misspelt, repeated, None],
        strict=True,
    ):
        if rows is not None:
            Path(name).write_text("\n".join(rows))
        with pytest.raises(DataError) as caught:
            load_problems(Path(name))
        assert str(caught.value) == text


def test_the_page_counts_the_gym_tasks_right() -> None:
    assert f"the {len(GYM_TASKS)} tasks" in PAGE
