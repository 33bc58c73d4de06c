"""The JSONL command's function."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from reasonrl.errors import DataError
from reasonrl.types import Status, Verdict
from reasonrl.verify import Verifier, VerifyItem, VerifyReport, verify_file

GOOD = {"id": "a", "kind": "math", "gold": "8", "response": r"\boxed{8}"}


def judge_file(folder: Path, **options: bool) -> tuple[VerifyReport, list[dict[str, Any]]]:
    """Judge in.jsonl of a folder; return the report and the lines of the output."""
    report = verify_file(folder / "in.jsonl", folder / "out.jsonl", **options)
    lines = (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    return report, [json.loads(line) for line in lines]


def judged(folder: Path, rows: list[Any]) -> tuple[VerifyReport, list[dict[str, Any]]]:
    write(folder / "in.jsonl", rows)
    return judge_file(folder)


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
    assert list(verdicts[0]) == ["id", "reward", "status", "reason", "extracted", "wall_s", "hash"]
    assert report.counts == {Status.CORRECT: 60, Status.WRONG: 540}
    assert report.n_rows == sum(seen) == 600


def test_a_failed_verification_is_written_as_null(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [GOOD | {"gold": ""}])

    verify_file(source, tmp_path / "out.jsonl")

    verdict = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert verdict["reward"] is None
    assert verdict["status"] == "GOLD_UNPARSABLE"


@pytest.mark.parametrize(
    ("bad", "identity", "message"),
    [
        ({"id": "b", "gold": "8"}, "b", "response = None"),
        (GOOD | {"id": "b", "kind": "poem"}, "b", "kind = 'poem'"),
        (GOOD | {"id": "b", "stop_reason": "bored"}, "b", "stop_reason = 'bored'"),
        (GOOD | {"id": "b", "gold": True}, "b", "gold = True"),
        (GOOD | {"id": "b", "gold": [["1"]]}, "b", "gold = [['1']]"),
        (GOOD | {"id": "b", "gold": float("nan")}, "b", "gold = nan"),
        (GOOD | {"id": "b", "gold": None}, "b", "gold = None"),
        ({"gold": "8", "response": "8"}, None, "id = None"),
        (GOOD | {"id": True}, None, "id = True"),
        ([1], None, "not a JSON object"),
    ],
)
def test_a_bad_row_is_named_and_costs_no_other_row_its_verdict(
    tmp_path: Path, bad: object, identity: str | None, message: str
) -> None:
    rows = [GOOD, bad, GOOD | {"id": "z"}]

    report, lines = judged(tmp_path, rows)

    assert [line.get("status") for line in lines] == ["CORRECT", None, "CORRECT"]
    assert set(lines[1]) == {"id", "error"}
    assert lines[1]["id"] == identity
    assert f"in.jsonl:2: {message}" in lines[1]["error"]
    assert (report.n_rows, report.n_faults, report.faults) == (3, 1, (lines[1]["error"],))


def test_a_line_that_is_no_text_or_no_json_costs_no_other_row_its_verdict(tmp_path: Path) -> None:
    good = json.dumps(GOOD).encode()
    torn = [b"\xff\xfe", b'{"id": "b", "gold', b"[" * 100_000]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([good, *torn, b"", b"  "]))

    report, lines = judge_file(tmp_path)

    assert [line["id"] for line in lines] == ["a", None, None, None]
    assert report.n_faults == 3
    assert report.counts == {Status.CORRECT: 1}


def test_a_verifier_that_raises_costs_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Verifier.verify_batch

    def fail(self: Verifier, items: Sequence[VerifyItem]) -> list[Verdict]:
        if any("trap" in item.response for item in items):
            raise RecursionError("too deep")
        return judge(self, items)

    monkeypatch.setattr(Verifier, "verify_batch", fail)
    rows = [GOOD, GOOD | {"id": "b", "response": "trap"}, GOOD | {"id": "c"}]

    report, lines = judged(tmp_path, rows)

    assert [line.get("status") for line in lines] == ["CORRECT", None, "CORRECT"]
    assert (
        lines[1]["error"] == f"{tmp_path}/in.jsonl:2: the verifier failed: RecursionError: too deep"
    )
    assert report.n_faults == 1


def test_an_id_twice_is_refused_before_anything_is_judged(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [GOOD | {"id": 7}, GOOD, GOOD | {"id": "7"}])
    (tmp_path / "out.jsonl").write_text("old", encoding="utf-8")

    with pytest.raises(DataError) as raised:
        verify_file(source, tmp_path / "out.jsonl")

    assert "in.jsonl:3: id = '7' is also the id of" in str(raised.value)
    assert "in.jsonl:1" in str(raised.value)
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("word", "status"),
    [("stop", "CORRECT"), ("eos", "CORRECT"), ("end_turn", "CORRECT"), (None, "CORRECT"),
     ("length", "TRUNCATED"), ("max_tokens", "TRUNCATED"), ("MAX_TOKENS", "TRUNCATED")],
)  # fmt: skip
@pytest.mark.parametrize("key", ["stop_reason", "finish_reason"])
def test_the_end_of_a_response_has_two_keys_and_the_words_of_other_tools(
    tmp_path: Path, key: str, word: str | None, status: str
) -> None:
    _, lines = judged(tmp_path, [GOOD | {key: word}])

    assert [line["status"] for line in lines] == [status]


@pytest.mark.parametrize("stop", [None, 151_643, "</answer>", "length"])
def test_a_stop_reason_beside_a_finish_reason_may_be_the_token_that_stopped(
    tmp_path: Path, stop: object
) -> None:
    _, lines = judged(tmp_path, [GOOD | {"finish_reason": "length", "stop_reason": stop}])

    assert lines[0]["status"] == "TRUNCATED"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"finish_reason": "length", "stop_reason": "stop"}, "expected two values that agree"),
        ({"finish_reason": "content_filter"}, "finish_reason = 'content_filter'; expected one of"),
        ({"stop_reson": "length"}, "did you mean 'stop_reason'?"),
        ({"finishReason": "length"}, "did you mean 'finish_reason'?"),
        ({"test": {}}, "did you mean 'tests'?"),
    ],
)
def test_a_key_that_could_turn_a_verdict_is_not_passed_over(
    tmp_path: Path, keys: dict[str, object], message: str
) -> None:
    _, lines = judged(tmp_path, [GOOD | keys])

    assert message in lines[0]["error"]


def test_a_key_of_another_tool_is_named_once_with_the_nearest_known_key(tmp_path: Path) -> None:
    extra = {"answer": "8", "model": "m", "response_id": 3}
    rows = [GOOD, GOOD | {"id": "b"} | extra, GOOD | {"id": "c", "answer": "8"}]

    report, lines = judged(tmp_path, rows)

    assert [line["status"] for line in lines] == ["CORRECT"] * 3
    where = f"{tmp_path}/in.jsonl:2: unknown key"
    assert report.unknown == (
        f"{where} 'answer', not read in 2 of 3 rows; the nearest known key is 'gold'",
        f"{where} 'model', not read in 1 of 3 rows",
        f"{where} 'response_id', not read in 1 of 3 rows; the nearest known key is 'response'",
    )


@pytest.mark.parametrize(
    ("gold", "answer", "is_right"),
    [
        ("5", "5", True),
        ("-0.5", r"-\frac12", True),
        # A decimal gold accepts what rounds to it and is near: the digits count as written.
        ("0.3333", r"1/3", True),
        ("0.33", r"1/3", False),
        ("1e3", "1000", True),
        ("12345678901234567890123", "12345678901234567890123", True),
        ("12345678901234567890123", "12345678901234567890124", False),
        # Each item of a list is right alone, as in the problem files.
        ('["1/2", "0.5"]', r"\frac{1}{2}", True),
        ("[1, 2]", "1", True),
        ("[1, 2]", "2", True),
        ("[1, 2]", "1, 2", False),
        ("[0.5]", "1/2", True),
        # An interval is one answer, and therefore a string.
        ('"[1, 2]"', "[1, 2]", True),
        ('"[1, 2]"', "1", False),
    ],
)
def test_a_gold_may_be_a_number_or_a_list(
    tmp_path: Path, gold: str, answer: str, is_right: bool
) -> None:
    response = json.dumps(rf"\boxed{{{answer}}}")
    row = f'{{"id": "a", "gold": {gold}, "response": {response}}}\n'
    (tmp_path / "in.jsonl").write_text(row, encoding="utf-8")

    _, lines = judge_file(tmp_path)

    assert lines[0]["reward"] == float(is_right)


def test_an_empty_list_of_golds_is_masked(tmp_path: Path) -> None:
    _, lines = judged(tmp_path, [GOOD | {"gold": []}])

    assert (lines[0]["status"], lines[0]["reward"]) == ("GOLD_UNPARSABLE", None)


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    text = json.dumps(GOOD) + "\r\n" + json.dumps(GOOD | {"id": "b"})
    (tmp_path / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())

    _, lines = judge_file(tmp_path)

    assert [line["status"] for line in lines] == ["CORRECT", "CORRECT"]


def test_half_a_surrogate_pair_is_written_as_it_was_read(tmp_path: Path) -> None:
    _, lines = judged(tmp_path, [GOOD | {"id": "\ud800", "response": "\\boxed{x\udfff}"}])

    assert (lines[0]["id"], lines[0]["extracted"]) == ("\ud800", "x\udfff")


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
    rows = [
        GOOD,
        code | {"tests": tests, "limits": limits},
        code | {"id": "d"},
        code | {"id": "e", "tests": {}},
    ]
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
