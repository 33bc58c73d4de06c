"""A checkpoint and the record before it belong together: on the disk, and when a run resumes."""

from __future__ import annotations

import os
import shlex
import shutil

import pyarrow.parquet as pq
import pytest

from tests.e2e.support import RECIPES, metrics_of, rollouts_of
from tests.e2e.support import reasonrl_here as here

TINY = RECIPES / "tiny.toml"
SETTINGS = {
    "stage.1.steps": 3, "stage.2.steps": 2, "engine.threads": 1, "checkpoint.every": 1,
    "checkpoint.keep": 9, "suite": "[]",
}  # fmt: skip
WORDS = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    done = here("train", TINY, "--run-dir", run, *WORDS)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def stopped(whole, tmp_path):
    """A copy of the run that has not ended: a checkpoint of every step, no summary."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "summary.json").unlink()
    return run


def refused(*words):
    done = here(*words)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def change_lines(run, change):
    path = run / "metrics.jsonl"
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


SPOILED = {
    "a line is missing": lambda run: change_lines(run, lambda lines: [*lines[:3], *lines[4:]]),
    "the last lines are missing": lambda run: change_lines(run, lambda lines: lines[:3]),
    "a line is there twice": lambda run: change_lines(run, lambda lines: [*lines[:4], *lines[3:]]),
    "two lines are swapped": lambda run: change_lines(
        run, lambda lines: [*lines[:3], lines[4], lines[3]]
    ),
    "the rollouts are empty": lambda run: os.truncate(run / "rollouts/step-000004.parquet", 0),
    "the rollouts are cut": lambda run: os.truncate(run / "rollouts/step-000004.parquet", 999),
    "the rollouts are zeros": lambda run: (run / "rollouts/step-000004.parquet").write_bytes(
        bytes(9_999)
    ),
    "the rollouts are gone": lambda run: (run / "rollouts/step-000004.parquet").unlink(),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_gap_before_the_checkpoint_is_named_and_the_advice_leads_out(spoiled, whole, stopped):
    SPOILED[spoiled](stopped)
    said = refused("resume", stopped)
    assert "step 4" in said or "a line of step 5, out of order" in said
    assert "to resume after step 3" in said
    points = [stopped / "checkpoints" / f"step-00000{step}" for step in (4, 5)]
    assert f"delete {points[0]} and {points[1]}" in said
    for point in points:
        shutil.rmtree(point)
    done = here("resume", stopped)
    assert done.returncode == 0, done.stderr
    assert metrics_of(stopped) == metrics_of(whole)
    assert rollouts_of(stopped) == rollouts_of(whole)


def test_a_run_without_a_whole_record_lends_its_weights(stopped, tmp_path):
    change_lines(stopped, lambda lines: lines[1:])
    said = refused("resume", stopped)
    assert "no line of step 1" in said
    command = shlex.split(said.split("`")[1])
    assert command[0] == "reasonrl"
    done = here(*command[1:], "--run-dir", tmp_path / "other")
    assert done.returncode == 0, done.stderr


def test_a_state_over_a_gap_is_not_handed_on(stopped, tmp_path):
    change_lines(stopped, lambda lines: [*lines[:3], *lines[4:]])
    words = ("train", stopped / "config.toml", "--run-dir", tmp_path / "other", "--from-state")
    assert "name an earlier step" in refused(*words, stopped)
    assert here(*words, f"{stopped}@3").returncode == 0
    assert [row["step"] for row in metrics_of(tmp_path / "other")] == [1, 2, 3, 4, 5]


def test_what_lies_behind_the_checkpoint_may_be_spoiled(whole, stopped):
    for step in (4, 5):
        shutil.rmtree(stopped / "checkpoints" / f"step-00000{step}")
    os.truncate(stopped / "rollouts" / "step-000004.parquet", 0)
    with (stopped / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 6}\n' + bytes(50) + b"\n\x80\xff\n" + b'{"step": 7')
    done = here("resume", stopped)
    assert done.returncode == 0, done.stderr
    assert metrics_of(stopped) == metrics_of(whole)
    assert rollouts_of(stopped) == rollouts_of(whole)


def test_a_line_in_the_middle_that_cannot_be_read_is_named(stopped):
    change_lines(stopped, lambda lines: [lines[0], "nothing\n", *lines[2:]])
    assert "metrics.jsonl:2: this line cannot be read" in refused("resume", stopped)
    assert "restore the line" in refused("status", stopped)


def test_a_run_that_was_begun_without_the_prompts_columns_goes_on(whole, stopped):
    for path in (stopped / "rollouts").iterdir():
        columns = ["prompt_turns", "prompt_tokens"]
        pq.write_table(pq.read_table(path).drop_columns(columns), path)
    shutil.rmtree(stopped / "checkpoints" / "step-000005")
    done = here("resume", stopped)
    assert done.returncode == 0, done.stderr
    assert (stopped / "report.html").exists()


def test_the_record_is_flushed_before_the_checkpoint_that_follows_it(tmp_path, monkeypatch):
    """A file is told by its number on the disk, which `os.fsync` is given a handle to."""
    flushed, fsync = [], os.fsync

    def note(handle):
        flushed.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    run = tmp_path / "run"
    done = here("train", TINY, "--run-dir", run, *WORDS, "--set", "checkpoint.every=3")
    assert done.returncode == 0, done.stderr
    points = [run / "checkpoints" / f"step-00000{step}" / "state.json" for step in (3, 5)]
    first, second = (flushed.index(point.stat().st_ino) for point in points)
    for span, steps in ((flushed[:first], (1, 2, 3)), (flushed[first:second], (4, 5))):
        files = [run / "rollouts" / f"step-00000{step}.parquet" for step in steps]
        for path in (*files, run / "metrics.jsonl", run / "rollouts", run):
            assert path.stat().st_ino in span, path
        assert [span.count(path.stat().st_ino) for path in files] == [1] * len(files)
