"""A run does not start with answers that no verifier reads, unless it is told to drop them."""

from __future__ import annotations

import pytest

from reasonrl.errors import DataError
from reasonrl.launch.readable import unreadable_keys
from reasonrl.recipe import Recipe
from reasonrl.rollout.pools import ProblemLists, list_key
from reasonrl.terminal import Console
from reasonrl.types import Message, Problem
from reasonrl.verify import Verifier

SOLUTION = "She sold 48 / 2 = <<48/2=24>>24 clips in May.\n#### 72"


def recipe(unreadable: str = "fail") -> Recipe:
    tables = {
        "name": "own",
        "data": {"sources": [{"type": "file", "path": "rows.jsonl"}], "unreadable": unreadable},
        "stage": [{"steps": 1}],
        "suite": [
            {
                "name": "seen",
                "sources": [{"type": "file", "path": "rows.jsonl"}],
                "max_new_tokens": 4,
            }
        ],
    }
    from reasonrl.recipe.toml import parse

    return parse(Recipe, tables, where="own.toml")


def lists(*answers: str) -> ProblemLists:
    prompt = (Message(role="user", content="?"),)
    problems = [
        Problem(id=f"p{n}", prompt=prompt, answer=answer) for n, answer in enumerate(answers)
    ]
    return {list_key(recipe().stage[0].data.sources): problems}


def test_the_start_is_refused_with_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    with Verifier() as verifier, pytest.raises(DataError) as caught:
        unreadable_keys(recipe(), lists("12", SOLUTION, "x+1"), verifier, Console())
    said = str(caught.value)
    assert "no verifier reads the answers of 1 of 3 problems: p1: 'She sold" in said
    assert 'data.unreadable = "drop"' in said


def test_dropped_rows_are_counted_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with Verifier() as verifier:
        dropped = unreadable_keys(recipe("drop"), lists("12", SOLUTION), verifier, Console())
    assert dropped == {"p1"}
    out = capsys.readouterr().out
    assert "1 problems are left out: no verifier reads their answers" in out
    assert "p1: 'She sold" in out
    assert "suite seen: no verifier reads 1 answers" in out
