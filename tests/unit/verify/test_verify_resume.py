"""A file of verdicts that is judged again: what is kept, what is not, and what a kill costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reasonrl.cli.app import app
from reasonrl.cli.endings import ExitCode
from reasonrl.errors import DataError, StorageError
from reasonrl.verify import VerifyReport, verify_file

ROWS = [{"id": str(n), "gold": "8", "response": rf"\boxed{{{n}}}"} for n in range(100)]


def judge(folder: Path, rows: list[Any], **options: bool) -> tuple[VerifyReport, list[Any]]:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "in.jsonl").write_text(text, encoding="utf-8")
    report = verify_file(folder / "in.jsonl", folder / "out.jsonl", **options)
    return report, lines_of(folder / "out.jsonl")


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_rerun_keeps_every_verdict_and_counts_them(tmp_path: Path) -> None:
    first, _ = judge(tmp_path, ROWS, cross_check=True)
    before = (tmp_path / "out.jsonl").read_bytes()

    second, _ = judge(tmp_path, ROWS, cross_check=True)

    assert (first.n_kept, second.n_kept) == (0, 100)
    assert (second.counts, second.disputed) == (first.counts, first.disputed)
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_only_changed_and_new_rows_are_judged_again_and_the_order_is_that_of_the_rows(
    tmp_path: Path,
) -> None:
    judge(tmp_path, ROWS)
    changed = [*reversed(ROWS[1:]), {**ROWS[0], "gold": "0"}, {**ROWS[8], "id": "new"}]

    report, lines = judge(tmp_path, changed)

    assert report.n_kept == 99
    assert [line["id"] for line in lines] == [row["id"] for row in changed]
    assert [line["id"] for line in lines if line["reward"]] == ["8", "0", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_a_verdict_under_other_options_is_not_kept(tmp_path: Path) -> None:
    rows = [{"id": "a", "gold": "8", "response": "It is 8."}]
    judge(tmp_path, rows)

    report, lines = judge(tmp_path, rows, unboxed=True)

    assert (report.n_kept, lines[0]["status"]) == (0, "CORRECT")


@pytest.mark.parametrize("status", ["TIMEOUT", "INFRA_ERROR"])
def test_a_row_that_the_machine_failed_is_judged_again(tmp_path: Path, status: str) -> None:
    judge(tmp_path, ROWS)
    path = tmp_path / "out.jsonl"
    path.write_text(path.read_text().replace('"CORRECT"', f'"{status}"'), encoding="utf-8")

    report, lines = judge(tmp_path, ROWS)

    assert (report.n_kept, lines[8]["status"]) == (99, "CORRECT")


def test_a_line_that_a_kill_tore_is_judged_again(tmp_path: Path) -> None:
    judge(tmp_path, ROWS)
    path = tmp_path / "out.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    report, lines = judge(tmp_path, ROWS)

    assert 40 < report.n_kept < 60
    assert [line["id"] for line in lines] == [row["id"] for row in ROWS]


def test_a_bad_row_is_judged_once_it_is_mended(tmp_path: Path) -> None:
    report, lines = judge(tmp_path, [ROWS[0], {"id": "1"}, ROWS[2]])
    assert (report.n_faults, list(lines[1])) == (1, ["id", "error"])

    report, lines = judge(tmp_path, ROWS[:3])

    assert (report.n_faults, report.n_kept) == (0, 2)
    assert [line["status"] for line in lines] == ["WRONG"] * 3


@pytest.mark.parametrize("text", ["a line of prose\n", '{"id": "a", "gold": "8"}\n', "[1]\n"])
def test_a_file_that_holds_no_verdicts_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "out.jsonl").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=r"out\.jsonl:1: not a verdict"):
        judge(tmp_path, ROWS)

    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == text


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps(ROWS[0]) + "\n", encoding="utf-8")
    (tmp_path / "link.jsonl").symlink_to("in.jsonl")

    with pytest.raises(DataError, match="is the input too"):
        verify_file(tmp_path / "in.jsonl", tmp_path / "link.jsonl")


def test_an_output_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").mkdir()
    with pytest.raises(StorageError, match="not a regular file"):
        judge(tmp_path, ROWS)
    with pytest.raises(StorageError, match="choose another --output"):
        verify_file(tmp_path / "in.jsonl", tmp_path / "none" / "out.jsonl")


def test_the_command_exits_with_1_and_names_the_rows_that_were_not_judged(tmp_path: Path) -> None:
    source, sink = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps(ROWS[8]) + "\n{\n" + json.dumps(ROWS[1]), encoding="utf-8")

    done = CliRunner().invoke(app, ["verify", "--input", str(source), "--output", str(sink)])

    assert done.exit_code == ExitCode.NO
    assert "in.jsonl:2: not JSON" in done.output
    assert "rows=3" in done.output
    assert "errors=1 CORRECT=1 WRONG=1" in done.output


@pytest.mark.slow
def test_a_kill_costs_no_verdict_but_those_in_flight(tmp_path: Path) -> None:
    tests = {"inputs": [""], "outputs": ["1"]}
    program = "```python\nimport time\ntime.sleep(0.1)\nprint(1)\n```"
    rows = [{"id": str(n), "kind": "code", "tests": tests, "response": program} for n in range(40)]
    source, sink = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "reasonrl", "verify"]
    process = subprocess.Popen([*command, "--input", str(source), "--output", str(sink)])
    until = time.monotonic() + 60
    while time.monotonic() < until and not (sink.exists() and sink.read_bytes().count(b"\n") >= 10):
        time.sleep(0.02)
    process.kill()
    process.wait()
    n_written = sink.read_bytes().count(b"\n")

    report = verify_file(source, sink)

    assert 10 <= n_written < 40
    assert report.n_kept == n_written
    assert [line["id"] for line in lines_of(sink)] == [row["id"] for row in rows]
    assert {line["status"] for line in lines_of(sink)} == {"PASS"}
