"""`reasonrl status`: what the files of a run say of it."""

import json
import shutil
import time

import pytest

from reasonrl.run.layout import HEARTBEAT
from reasonrl.run.status import read_status
from tests.e2e.support import RECIPES
from tests.e2e.support import reasonrl_here as reasonrl

SHORT = (
    "--set", "stage.1.steps=2", "--set", "stage.2.steps=2", "--set", "engine.threads=1",
    "--set", "entropy.mode=none", "--set", "entropy.delta=0", "--set", "entropy.maximum=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    done = reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *SHORT)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def unfinished(finished, tmp_path):
    """The run as it was before its end, with a heartbeat of now."""
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "summary.json").unlink()
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join(lines[:3]) + "\n")
    return run


def beat(run, *, age_s=0.0, processes=(), ended=False):
    (run / HEARTBEAT).write_text(
        json.dumps(
            {"time": time.time() - age_s, "pid": 7, "host": "here", "ended": ended,
             "processes": processes}
        )
    )  # fmt: skip


def test_a_finished_run_is_finished(finished):
    done = reasonrl("status", finished)
    assert done.returncode == 0
    assert "tiny: finished, step 4/4, stage long, checkpoint step-000004" in done.stdout


def test_a_living_run_says_how_far_it_is_and_what_its_processes_do(unfinished):
    beat(unfinished, processes=[{"name": "replica-0", "version": 3, "in_flight": 12}])
    (unfinished / "logs").mkdir()
    (unfinished / "logs" / "replica-0.log").write_text("one\nthe last line\n")
    done = reasonrl("status", unfinished)
    assert done.returncode == 0
    assert "tiny: running (pid 7 on here), step 3/4" in done.stdout
    assert "left at this pace" in done.stdout
    assert "version=3 in_flight=12" in done.stdout
    assert "the last line" in done.stdout


def test_a_run_without_heartbeats_is_silent_and_an_exit_code(unfinished):
    beat(unfinished, age_s=300)
    done = reasonrl("status", unfinished)
    assert done.returncode == 1
    assert "silent" in done.stdout
    assert "reasonrl resume" in done.stdout


def test_a_stopped_run_is_stopped(unfinished):
    beat(unfinished, ended=True)
    assert read_status(unfinished).phase == "stopped"


def test_a_torn_heartbeat_counts_as_none(unfinished):
    (unfinished / HEARTBEAT).write_text("{")
    assert read_status(unfinished).phase == "stopped"


def test_events_are_shown(unfinished):
    beat(unfinished)
    (unfinished / "events.jsonl").write_text(
        json.dumps({"time": "2026-01-01T00:00:00+00:00", "event": "replica-1 is lost"}) + "\n"
    )
    assert "replica-1 is lost" in reasonrl("status", unfinished).stdout


@pytest.mark.parametrize("has_ended", [False, True])
def test_falling_entropy_is_warned_of_while_a_run_runs_and_after_it(unfinished, has_ended):
    beat(unfinished, ended=has_ended)
    row = json.loads((unfinished / "metrics.jsonl").read_text().splitlines()[0])
    falling = [{**row, "step": n, "entropy/nats": 0.97**n} for n in range(1, 60)]
    for n, said in ((20, None), (40, "a collapse is near"), (59, "rollouts of a problem hardly")):
        text = "".join(json.dumps(one) + "\n" for one in falling[:n])
        (unfinished / "metrics.jsonl").write_text(text)
        warnings = [one for one in read_status(unfinished).warnings if "entropy" in one]
        assert [said in one for one in warnings] == ([] if said is None else [True])


def test_several_runs_are_a_table_and_a_directory_stands_for_its_runs(finished, unfinished):
    beat(unfinished, age_s=300)
    done = reasonrl("status", finished, unfinished)
    assert done.returncode == 1  # one is silent
    assert "finished" in done.stdout
    assert "3/4" in done.stdout
    done = reasonrl("status", finished.parent)
    assert (done.returncode, "step 4/4" in done.stdout) == (0, True)


def test_json_has_a_line_for_each_run(finished, unfinished):
    beat(unfinished)
    done = reasonrl("status", "--json", finished, unfinished)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["run"], one["phase"], one["step"]) for one in lines] == [
        (str(finished), "finished", 4), (str(unfinished), "running", 3),
    ]  # fmt: skip


def test_watching_ends_with_the_run(finished):
    done = reasonrl("status", "--watch", finished)
    assert done.stdout.count("tiny: finished") == 1


def test_a_directory_without_a_run_is_said(tmp_path):
    done = reasonrl("status", tmp_path)
    assert done.returncode == 2
    assert "no run here" in done.stderr
