"""The JSONL command's function."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from reasonrl.errors import DataError
from reasonrl.types import Status
from reasonrl.verify import verify_file

GOOD = {"id": "a", "kind": "math", "gold": "8", "response": r"\boxed{8}"}


def write(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_verdicts_come_in_the_order_of_the_rows(tmp_path: Path) -> None:
    rows = [
        GOOD | {"id": str(index), "response": rf"\boxed{{{index % 10}}}", "stop_reason": "stop"}
        for index in range(600)
    ]
    source, sink, seen = write(tmp_path / "in.jsonl", [*rows]), tmp_path / "out.jsonl", []

    report = verify_file(source, sink, phase=lambda _name, _total: nullcontext(seen.append))

    verdicts = [json.loads(line) for line in sink.read_text(encoding="utf-8").splitlines()]
    assert [verdict["id"] for verdict in verdicts] == [str(index) for index in range(600)]
    assert [verdict["reward"] for verdict in verdicts[7:9]] == [0.0, 1.0]
    assert list(verdicts[0]) == ["id", "reward", "status", "reason", "extracted", "wall_s"]
    assert report.counts == {Status.CORRECT: 60, Status.WRONG: 540}
    assert report.n_rows == sum(seen) == 600


def test_a_failed_verification_is_written_as_null(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [GOOD | {"gold": ""}])

    verify_file(source, tmp_path / "out.jsonl")

    verdict = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert verdict["reward"] is None
    assert verdict["status"] == "GOLD_UNPARSABLE"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"id": "b", "gold": "8"}, "response = None"),
        (GOOD | {"kind": "poem"}, "kind = 'poem'"),
        (GOOD | {"stop_reason": "bored"}, "stop_reason = 'bored'"),
        (GOOD | {"gold": 8}, "gold = 8"),
        ({"gold": "8", "response": "8"}, "id = None"),
        ([1], "not a JSON object"),
    ],
)
def test_a_bad_row_is_named_and_leaves_the_old_output_alone(
    tmp_path: Path, bad: object, message: str
) -> None:
    source, sink = write(tmp_path / "in.jsonl", [GOOD, bad]), tmp_path / "out.jsonl"
    sink.write_text("old", encoding="utf-8")

    with pytest.raises(DataError) as raised:
        verify_file(source, sink)

    assert "in.jsonl:2: " + message in str(raised.value)
    assert sink.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.jsonl"):
        verify_file(tmp_path / "no.jsonl", tmp_path / "out.jsonl")


def test_a_second_route_is_written_and_its_disagreement_reported(tmp_path: Path) -> None:
    rows = [
        GOOD,
        GOOD | {"id": "base", "gold": "1011", "response": r"\boxed{1011_2}"},
        GOOD | {"id": "none", "response": "no box"},
    ]
    source, sink = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"

    report = verify_file(source, sink, cross_check=True)

    verdicts = [json.loads(line) for line in sink.read_text(encoding="utf-8").splitlines()]
    assert [verdict["second"] for verdict in verdicts] == ["CORRECT", "CORRECT", None]
    assert [verdict["status"] for verdict in verdicts] == ["CORRECT", "WRONG", "NO_ANSWER"]
    assert report.disputed == ("base",)


def test_programs_and_answers_may_share_a_file(tmp_path: Path) -> None:
    tests = {"inputs": ["1 2", "3 4"], "outputs": ["3", "7"]}
    program = "```python\nprint(sum(map(int, input().split())))\n```"
    code = {"id": "c", "kind": "code", "response": program}
    limits = {"time_s": 5, "memory_mb": 256}
    rows = [GOOD, code | {"tests": tests, "limits": limits}, code, code | {"tests": {}}]
    verify_file(write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl")

    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    verdicts = [json.loads(line) for line in lines]
    assert [v["status"] for v in verdicts] == ["CORRECT", "PASS", "NO_TESTS", "NO_TESTS"]
    assert [v["reward"] for v in verdicts] == [1.0, 1.0, None, None]
    assert verdicts[1]["tests"] == ["PASS", "PASS"]


def test_a_pipe_is_refused_instead_of_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(DataError, match="not a regular file"):
        verify_file(tmp_path / "pipe", tmp_path / "out.jsonl")
