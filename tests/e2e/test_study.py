"""`reasonrl study` and `reasonrl lab`: arms run, go on, and are judged."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import recipe_base
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.kept import KeptRun, keep, read_kept
from reasonrl.studies.processes import ChildTask, work_off
from reasonrl.studies.reading import origin_here
from reasonrl.studies.record import RunOrigin
from reasonrl.studies.results import kept_runs, results_of, results_of_kept, write_results
from reasonrl.studies.runs import jobs_of, read_records, run_jobs
from reasonrl.studies.setting import StudySetting, on_miniatures
from reasonrl.studies.verdicts import judge_claim
from reasonrl.terminal import Console
from tests.e2e.support import COMMAND, RECIPES, metrics_of, reasonrl_here
from tests.unit.studies.support import SMALL, evaluation, run

pytestmark = pytest.mark.xdist_group("study")  # the runs are made once

NAMES = ("on-policy", "minibatches-2")
TINY = ("engine.threads=1",)


def tiny_jobs(out, seeds=3):
    arms, base = arms_of(SMALL), small_base()
    return jobs_of([(arms[name], seeds) for name in NAMES], base, out)


def small_base():
    """The tiny recipe's batch, whatever the scale says."""
    return recipe_base(RECIPES / "tiny.toml", TINY, SMALL)


def small():
    return StudySetting(
        world="",
        first_seed=1,
        studies=studies_of(SMALL),
        arms=arms_of(SMALL),
        base=small_base(),
        spec=None,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    jobs = tiny_jobs(out)
    ending = run_jobs(jobs, Console(), workers=2, budget_s=None)
    assert (ending.failures, ending.is_stopped, ending.left) == ({}, False, 0)
    return out, jobs


def test_every_arm_has_a_run_for_each_seed(finished):
    _, jobs = finished
    records = read_records(jobs)
    assert records.keys() == {(name, seed) for name in NAMES for seed in (1, 2, 3)}
    assert all(len(record.rows) == SMALL.steps for record in records.values())
    most = dict.fromkeys(NAMES, 0)
    for (name, _), record in records.items():
        most[name] = max(most[name], *(row["update/n"] for row in record.rows))
    assert most == {"on-policy": 1, "minibatches-2": 2}


def test_what_is_finished_is_not_made_again(finished):
    out, _ = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("summary.json")}
    ending = run_jobs(tiny_jobs(out), Console(), workers=1, budget_s=None)
    assert ending.left == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("summary.json")} == before


def test_verdicts_and_page_are_written(finished):
    out, jobs = finished
    results = results_of(small(), read_records(jobs), {})
    page = write_results(results, small().studies.values(), out).read_text()
    verdicts = json.loads((out / "verdicts.json").read_text())
    by_name = {one["name"]: one for one in verdicts["studies"]}
    claims = {one["text"]: one for one in by_name["n-sgd"]["claims"]}
    claim = claims["two minibatches: less entropy"]
    assert claim["seeds"] == [1, 2, 3]
    assert len(claim["values"]) == len(claim["others"]) == 3
    assert "kl" not in by_name  # none of its arms was run
    assert page.count("<svg") >= 3
    assert "<script" not in page
    for text in ("n-sgd", "two minibatches", "not run", "Warning of collapse"):
        assert text in page


def test_what_is_kept_is_judged_like_the_runs(finished, tmp_path):
    _, jobs = finished
    keep(_repeatable(kept_runs(small(), read_records(jobs), origin_here())), tmp_path)
    again, [note] = results_of_kept(small(), read_kept(tmp_path))
    assert "n-sgd 0 of " in note  # only two of its arms were run
    assert "may still change" in note
    assert [one.verdicts for one in again] == [
        one.verdicts for one in results_of(small(), read_records(jobs), {})
    ]
    moved = {
        name: replace(study, claims=(replace(study.claims[0], margin=1.0), *study.claims[1:]))
        for name, study in small().studies.items()
    }
    none, refusals = results_of_kept(replace(small(), studies=moved), read_kept(tmp_path))
    assert none == []
    assert "n-sgd: 6 runs were made for other claims, margins or arms" in "\n".join(refusals)


def test_runs_of_changed_code_are_kept_and_not_judged(finished):
    runs = _repeatable(
        kept_runs(small(), read_records(finished[1]), origin_here()), commit="0ab-dirty"
    )
    none, refusals = results_of_kept(small(), runs)
    assert none == []
    assert refusals == ["6 runs were made by code that is in no commit; they are left out"]


def test_only_runs_of_this_code_are_kept(finished):
    records = read_records(finished[1])
    elsewhere = replace(origin_here(), commit="0123456789ab")
    assert kept_runs(small(), records, elsewhere) == []
    assert len(kept_runs(small(), records, origin_here())) == len(records)


def test_runs_with_other_seeds_are_not_judged(finished):
    runs = _repeatable(kept_runs(small(), read_records(finished[1]), origin_here()))
    none, notes = results_of_kept(small(), [replace(run, seed=run.seed + 500) for run in runs])
    assert none == []
    assert "n-sgd: no run has a seed from 1 to 20, which decide" in notes


def test_a_seed_is_judged_by_the_commit_that_has_most_of_its_arms(finished):
    whole = _repeatable(kept_runs(small(), read_records(finished[1]), origin_here()), "b" * 12)
    part = _repeatable(whole[:1], "a" * 12)
    results, _ = results_of_kept(small(), [*part, *whole])
    [result] = [one for one in results if one.study.name == "n-sgd"]
    assert {run.origin.commit for run in result.records.values()} == {"b" * 12}
    results, _ = results_of_kept(small(), [*_repeatable(whole, "a" * 12), *whole])
    [result] = [one for one in results if one.study.name == "n-sgd"]
    assert {run.origin.commit for run in result.records.values()} == {"a" * 12}


def test_runs_of_another_world_are_not_judged(finished):
    runs = _repeatable(kept_runs(small(), read_records(finished[1]), origin_here()))
    assert results_of_kept(replace(small(), world="elsewhere"), runs) == ([], [])


def test_two_commits_make_no_pair(finished):
    records = dict(read_records(finished[1]))
    for seed in (1, 2, 3):
        other = replace(records["on-policy", seed].origin, commit="0123456789ab")
        records["on-policy", seed] = replace(records["on-policy", seed], origin=other)
    [claim] = [
        one for one in studies_of(SMALL)["n-sgd"].claims if one.text == "two minibatches: sooner"
    ]
    assert "no seed has both arms from one commit" in judge_claim(claim, records).why


def _repeatable(runs, commit="0123456789ab"):
    """The kept runs as of a commit: the tests may run in a checkout with changed files."""
    origin = RunOrigin(commit=commit, machine="m")
    return [replace(run, record=replace(run.record, origin=origin)) for run in runs]


def test_a_run_that_another_commit_began_begins_again(finished, tmp_path):
    [job, _] = tiny_jobs(tmp_path, seeds=1)
    shutil.copytree(finished[1][0].directory, job.directory)
    (job.directory / "summary.json").unlink()
    sitting = json.loads((job.directory / "sessions.jsonl").read_text())
    sitting["versions"]["commit"] = "0123456789ab"
    (job.directory / "sessions.jsonl").write_text(json.dumps(sitting) + "\n")
    assert run_jobs([job], Console(), workers=1, budget_s=None).left == 0
    assert "it begins again" in (job.directory / "log.txt").read_text()
    assert len((job.directory / "sessions.jsonl").read_text().splitlines()) == 1
    assert metrics_of(job.directory) == metrics_of(finished[1][0].directory)


def test_the_command_judges_what_is_kept_and_tells_the_power(tmp_path):
    setting = on_miniatures("search")
    registered = {"kl": setting.registered()["kl"]}
    runs = []
    deciding = range(101, 101 + setting.studies["kl"].seeds)
    for seed in (100, *deciding, deciding.stop):  # the first and the last are no deciding seeds
        for arm, right in (("kl-kept", 1), ("kl-dropped", 3)):
            record = run([0.4] * 20)
            scores = [right, right, seed % 2]
            record.evaluations.append(evaluation(20, sum(scores) / 12, k=4, right=scores))
            runs.append(
                KeptRun(world="search", arm=arm, seed=seed, record=record, registered=registered)
            )
    keep(runs, tmp_path / "kept")
    judge = ("study", "kl", "--judge", tmp_path / "kept", "--out", tmp_path / "out")
    judged = reasonrl_here(*judge)
    assert judged.returncode == 0, judged.stderr
    assert "KL" not in judged.stdout
    assert "reproduced" in judged.stdout
    assert "+33.3 points" in judged.stdout
    kept = json.loads((tmp_path / "out" / "verdicts.json").read_text())["studies"]
    assert kept[0]["claims"][1]["seeds"] == [*deciding]
    powered = reasonrl_here(*judge, "--power")
    assert powered.returncode == 0, powered.stderr
    assert "100%" in powered.stdout
    refused = reasonrl_here(*judge, "--keep", tmp_path / "more")
    assert refused.returncode == 2
    assert "leave them out" in refused.stderr
    nothing = reasonrl_here("study", "--judge", tmp_path / "nothing")
    assert nothing.returncode == 2
    assert "no kept results" in nothing.stderr


def test_no_run_is_begun_after_the_budget(tmp_path):
    ending = run_jobs(tiny_jobs(tmp_path, seeds=1), Console(), workers=1, budget_s=-1.0)
    assert (ending.left, ending.failures) == (2, {})


def test_a_run_that_fails_is_named_and_the_others_go_on(tmp_path):
    jobs = tiny_jobs(tmp_path, seeds=1)
    jobs[0].directory.mkdir(parents=True)
    (jobs[0].directory / "config.toml").write_text("broken")
    ending = run_jobs(jobs, Console(), workers=1, budget_s=None)
    assert list(ending.failures) == [jobs[0].directory.name]
    assert "not TOML" in ending.failures[jobs[0].directory.name]
    assert jobs[1].is_finished


SCRIPT = """
from pathlib import Path
from reasonrl.terminal import Console
from reasonrl.studies.runs import run_jobs
from tests.e2e.test_study import tiny_jobs

if __name__ == "__main__":
    ending = run_jobs(tiny_jobs(Path({out!r}), seeds=1), Console(), workers=1, budget_s=None)
    print(ending)
"""


def interrupted(tmp_path, number: signal.Signals) -> str:
    """Start a study of two runs, send it and its children a signal in the first; what it said."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(out=str(tmp_path / "out")))
    study = subprocess.Popen(
        [COMMAND[0], str(script)],
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        text=True,
    )
    first = tiny_jobs(tmp_path / "out", seeds=1)[0].directory / "metrics.jsonl"
    end = time.monotonic() + 120
    while not (first.exists() and first.stat().st_size) and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(study.pid, number)
    return study.communicate(timeout=120)[0]


def end_like_the_undisturbed(jobs, out) -> None:
    ending = run_jobs(tiny_jobs(out, seeds=1), Console(), workers=1, budget_s=None)
    assert (ending.failures, ending.left) == ({}, 0)
    for mine, other in zip(tiny_jobs(out, seeds=1), jobs[:2], strict=True):
        assert metrics_of(mine.directory) == metrics_of(other.directory)


def test_a_killed_study_goes_on_and_ends_as_if_nothing_had_happened(finished, tmp_path):
    interrupted(tmp_path, signal.SIGKILL)
    end_like_the_undisturbed(finished[1], tmp_path / "out")


@pytest.mark.long
def test_ctrl_c_ends_every_run_with_a_checkpoint_and_begins_none(finished, tmp_path):
    said = interrupted(tmp_path, signal.SIGINT)
    assert "is_stopped=True" in said
    assert "failures={}" in said
    first, second = tiny_jobs(tmp_path / "out", seeds=1)
    assert first.is_finished or list((first.directory / "checkpoints").glob("step-*"))
    assert not second.directory.exists()
    end_like_the_undisturbed(finished[1], tmp_path / "out")


def test_a_run_that_is_killed_is_named_and_the_others_go_on(tmp_path):
    ended = []
    goes_on = work_off(
        [
            ChildTask(name="fails", function=int, given=("x",), log=tmp_path / "b.log"),
            ChildTask(name="works", function=time.sleep, given=(0,), log=tmp_path / "c.log"),
            ChildTask(name="dies", function=_die, given=(), log=tmp_path / "d.log"),
        ],
        workers=2,
        may_begin=lambda: True,
        on_end=ended.append,
    )
    errors = {one.task.name: one.error for one in ended}
    assert goes_on
    assert errors["works"] == ""
    assert errors["dies"] == "killed by SIGKILL"
    assert errors["fails"].startswith("ValueError: invalid literal")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_command_lists_the_catalog_and_names_the_nearest_study():
    listed = reasonrl_here("study")
    assert listed.returncode == 0
    assert "clip-higher" in listed.stdout
    wrong = reasonrl_here("study", "temperatur")
    assert wrong.returncode == 2
    assert "did you mean temperature?" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("n-sgd", "--arms", "on-polcy"), "expected some of on-policy"),
        (("n-sgd", "--budget", "soon"), "a time such as"),
        (("n-sgd", "--set", "seed=2"), "expected --recipe"),
        (("n-sgd", "--world", "mars"), "expected chains, search, all"),
        (("nonsense", "--all"), "no study 'nonsense'"),
        (("data-mixture", "--recipe", RECIPES / "tiny.toml"), "only the lab has"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_made(arguments, said, tmp_path):
    refused = reasonrl_here("study", *arguments, "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "out").exists()
