"""Knobs that people look for: rates, advantages, the best checkpoint, branches, later changes."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.e2e.support import RECIPES, metrics_of, rollouts_of
from tests.e2e.support import reasonrl_here as here

TINY = RECIPES / "tiny.toml"


def words(**changes: object) -> list[str]:
    """Return the changes of a short tiny run as options."""
    known = {
        "stage.1.steps": 4, "stage.2.steps": 2, "engine.threads": 1, "checkpoint.every": 2,
        "checkpoint.keep": 9,
    }  # fmt: skip
    known |= {key.replace("__", "."): value for key, value in changes.items()}
    return [word for key, value in known.items() for word in ("--set", f"{key}={value}")]


def train(run, *options):
    done = here("train", TINY, "--run-dir", run, *options)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(tmp_path_factory.mktemp("knobs") / "run", *words())


def test_the_rate_warms_up_and_falls_in_each_stage(tmp_path):
    run = train(tmp_path / "run", *words(update__warmup_steps=2, update__schedule="linear"))
    rates = [row["update/learning_rate"] for row in metrics_of(run) if row["update/n"]]
    expected = [1e-3, 2e-3, 2e-3, 1e-3, 1e-3, 2e-3]
    steps = [row["step"] for row in metrics_of(run) if row["update/n"]]
    assert rates == pytest.approx([expected[step - 1] for step in steps])


@pytest.mark.parametrize(
    ("advantage", "of_one_right"), [("rloo", 1.0), ('"own.py:above"', 0.5)], ids=["rloo", "own"]
)
def test_advantages_may_be_reckoned_in_another_way(advantage, of_one_right, tmp_path):
    (tmp_path / "own.py").write_text(
        "def above(rewards, truncated):\n"
        "    return [0.5 if r > min(rewards) else 0.0 for r in rewards]\n"
    )
    recipe = tmp_path / "own.toml"
    recipe.write_text(f'extends = "{TINY}"\n[update]\nadvantage = {advantage!r}\n'.replace("'", ""))
    if advantage == "rloo":
        recipe.write_text(f'extends = "{TINY}"\n[update]\nadvantage = "rloo"\n')
    run = tmp_path / "run"
    done = here("train", recipe, "--run-dir", run, *words())
    assert done.returncode == 0, done.stderr
    groups: dict[tuple[object, object], list[dict[str, object]]] = {}
    for row in rollouts_of(run):
        if row["signal"] == "kept":
            groups.setdefault((row["step"], row["problem_id"]), []).append(row)
    assert groups
    for group in groups.values():
        right = [row for row in group if row["reward"] == 1.0]
        wrong = len(group) - len(right)
        for row in right:
            share = wrong / (len(group) - 1) if advantage == "rloo" else of_one_right
            assert row["advantage"] == pytest.approx(share)


def test_an_own_advantage_that_fails_is_named(tmp_path):
    (tmp_path / "own.py").write_text("def few(rewards, truncated):\n    return [1.0]\n")
    recipe = tmp_path / "own.toml"
    recipe.write_text(f'extends = "{TINY}"\n[update]\nadvantage = "own.py:few"\n')
    done = here("train", recipe, "--run-dir", tmp_path / "run", *words())
    assert done.returncode == 2
    assert "returned [1.0] for 16 rollouts" in done.stderr
    recipe.write_text(f'extends = "{TINY}"\n[update]\nadvantage = "own.py:none"\n')
    done = here("train", recipe, "--run-dir", tmp_path / "other", *words())
    assert "has no attribute 'none'" in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_teacher_may_be_the_reference(tmp_path):
    teacher = train(tmp_path / "teacher", *words(seed=5))
    change = {"update__kl_coefficient": 0.1, "update__learning_rate": 1e-9}
    own = train(tmp_path / "own", *words(**change))
    taught = train(tmp_path / "taught", *words(**change, update__reference=f'"{teacher}"'))
    kl = [max(row["update/kl"] or 0 for row in metrics_of(run)) for run in (own, taught)]
    assert kl[0] == pytest.approx(0.0, abs=1e-6)
    assert kl[1] > 0.01
    done = here("resume", taught)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"update__reference": "tiny"}, "no stage uses the reference"),
        ({"update__reference": "./nowhere", "update__kl_coefficient": 0.1}, "nowhere"),
    ],
)
def test_a_reference_that_is_of_no_use_is_refused(changes, said, tmp_path):
    done = here("train", TINY, "--run-dir", tmp_path / "run", *words(**changes))
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_best_checkpoint_stays_and_the_summary_judges_it(tmp_path):
    change = words(checkpoint__best="train", suite__1__every=1, checkpoint__keep=1,
                   checkpoint__every=50, update__learning_rate=0.05)  # fmt: skip
    run = train(tmp_path / "run", *change)
    best = json.loads((run / "summary.json").read_text())["best"]
    scores = {
        row["step"]: row["accuracy"]["value"]
        for row in map(json.loads, (run / "evaluations.jsonl").read_text().splitlines())
    }
    assert best["score"] == max(scores.values())
    assert best["step"] == min(step for step, value in scores.items() if value == best["score"])
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    wanted = {f"step-{best['step']:06d}", "step-000006"} - {"step-000000"}
    assert set(kept) == wanted
    assert best["verdict"].startswith(("it is the last step", "against the last step: "))


def test_the_best_needs_a_suite_that_is_evaluated():
    done = here("show-config", TINY, "--set", "checkpoint.best=math")
    assert "checkpoint.best = 'math' is no suite of the recipe; expected train" in done.stderr
    done = here("show-config", TINY, "--set", "checkpoint.best=train")
    assert "set every in the suite 'train'" in done.stderr


def test_a_branch_from_a_state_is_the_run_itself_where_nothing_changes(plain, tmp_path):
    twin = tmp_path / "twin"
    options = ("--from-state", f"{plain}@2", "--run-dir", twin)
    done = here("train", plain / "config.toml", *options)
    assert done.returncode == 0, done.stderr
    assert metrics_of(twin) == metrics_of(plain)
    assert rollouts_of(twin) == rollouts_of(plain)
    other = tmp_path / "other"
    options = ("--from-state", f"{plain}@2", "--run-dir", other, "--set",
               "stage.1.update.learning_rate=1e-4")  # fmt: skip
    assert here("train", plain / "config.toml", *options).returncode == 0
    assert metrics_of(other)[:2] == metrics_of(plain)[:2]
    assert metrics_of(other)[2:] != metrics_of(plain)[2:]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--set", "seed=2"), "seed is 2 and was 1"),
        (("--set", "data.sources.1.max_operand=5", "--set", "stage.1.data.sources.1.max_operand=5"),
         "stage short: there are"),
        (("--from", "RUN"), "--from and --from-state exclude each other"),
    ],
)  # fmt: skip
def test_a_state_that_does_not_belong_to_the_recipe_is_refused(plain, options, said, tmp_path):
    options = [str(plain) if word == "RUN" else word for word in options]
    run = tmp_path / "run"
    start = ("train", plain / "config.toml", "--from-state", plain, "--run-dir", run)
    done = here(*start, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert not run.exists()


def test_a_state_that_is_not_there_is_named(plain, tmp_path):
    done = here("train", TINY, "--from-state", f"{plain}@3", "--run-dir", tmp_path / "run")
    assert "no such checkpoint" in done.stderr
    assert "expected one of 2, 4, 6" in done.stderr
    done = here("train", TINY, "--from-state", tmp_path, "--run-dir", tmp_path / "run")
    assert "no run here" in done.stderr


def test_a_dry_run_checks_the_run_that_it_would_begin_with(plain, tmp_path):
    words = ("train", plain / "config.toml", "--dry-run", "--run-dir", tmp_path / "run")
    done = here(*words, "--from-state", f"{plain}@2")
    assert done.returncode == 0, done.stderr
    assert "no such checkpoint" in here(*words, "--from-state", f"{plain}@3").stderr
    assert "seed is 2" in here(*words, "--from-state", plain, "--set", "seed=2").stderr
    assert here(*words, "--from", tmp_path / "none").returncode == 2
    assert not (tmp_path / "run").exists()


def test_a_finished_run_can_be_given_more_steps(plain, tmp_path):
    longer = train(tmp_path / "longer", *words(stage__2__steps=5))
    run = tmp_path / "run"
    shutil.copytree(plain, run)
    done = here("resume", run, "--set", "stage.2.steps=5")
    assert done.returncode == 0, done.stderr
    assert metrics_of(run) == metrics_of(longer)
    assert "from step 7 on: stage.2.steps=5" in (run / "events.jsonl").read_text()
    weights = "model/model.safetensors"
    assert (run / weights).read_bytes() == (longer / weights).read_bytes()


def test_evaluation_and_checkpoints_may_change_on_the_way(plain, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(plain, run)
    shutil.rmtree(run / "checkpoints" / "step-000006")
    (run / "summary.json").unlink()
    done = here("resume", run, "--set", "suite.1.every=1", "--set", "checkpoint.every=1",
                "--set", "suite.1.limit=4")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert metrics_of(run) == metrics_of(plain)
    assert (run / "checkpoints" / "step-000005").exists()
    rows = list(map(json.loads, (run / "evaluations.jsonl").read_text().splitlines()))
    assert [row["step"] for row in rows] == [0, 4, 5, 6]
    assert rows[-1]["n_problems"] == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seed=2", "a run that has begun keeps seed"),
        ("update.learning_rate=1", "--from-state"),
        ("stage.2.rollout.group_size=4", "a run that has begun keeps stage.2.rollout.group_size"),
        ("stage.1.steps=9", "stage short has ended"),
        ("stage.2.steps=1", "stage long has taken 2 steps"),
    ],
)
def test_what_would_make_another_run_is_refused_with_the_reason(plain, change, said):
    done = here("resume", plain, "--set", change)
    assert done.returncode == 2
    assert said in done.stderr
