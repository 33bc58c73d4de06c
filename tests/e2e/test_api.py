"""The Python API: the commands as functions, own parts of a run, and the tables of a run."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import reasonrl
from reasonrl.api.recipes import overrides_of
from reasonrl.engines.local import LocalSampler
from reasonrl.errors import CheckpointError, ConfigError, DataError, ReasonRLError
from reasonrl.launch.one_process import local_engine
from reasonrl.models.hf import load_model
from reasonrl.recipe.tables import apply_override
from reasonrl.types import Status, Verdict
from tests.conftest import REPOSITORY
from tests.e2e.support import metrics_of
from tests.e2e.support import reasonrl_here as here

SHORT = {"stage.1.steps": 3, "stage.2.steps": 2, "engine.threads": 1, "checkpoint.every": 2}
WORDS = [word for change in overrides_of(SHORT) for word in ("--set", change)]
ROWS = [{"q": f"{a} + {b} =", "a": a + b} for a in range(5) for b in range(5)]
GIVEN = SHORT | {
    "data.sources": [
        {"type": "given", "name": "sums", "fields": {"prompt": "q", "answer": "a"}}
    ],
    "suite": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> reasonrl.Run:
    directory = tmp_path_factory.mktemp("api") / "run"
    return reasonrl.train("tiny", directory, overrides=SHORT, quiet=True)


def without_gaps(run) -> list[dict[str, object]]:
    """Return the metrics without the distance of two engines, which only own engines have."""
    rows = metrics_of(run.directory)
    return [{k: v for k, v in row.items() if k != "sync/gap_nats"} for row in rows]


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("torch", "transformers", "numpy", "pydantic", "sympy")
    code = f"import sys, reasonrl; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = "import sys, reasonrl; reasonrl.load_recipe('tiny'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert set(reasonrl.__all__) <= set(dir(reasonrl))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        reasonrl.trian  # noqa: B018


def test_the_command_and_the_function_train_the_same(trained, tmp_path, capsys):
    assert not capsys.readouterr().out
    done = here("train", "tiny", "--run-dir", tmp_path / "run", *WORDS)
    assert done.returncode == 0, done.stderr
    assert metrics_of(tmp_path / "run") == metrics_of(trained.directory)


def test_a_run_is_read_as_tables(trained):
    assert repr(trained).endswith("finished, step 5 of 5")
    assert "<svg" in trained._repr_html_()
    assert trained.is_finished
    assert (trained.model / "model.safetensors").exists()
    assert trained.recipe.name == "tiny"
    assert trained.metrics()["step"].to_pylist() == [1, 2, 3, 4, 5]
    step = trained.rollouts(step=2)
    assert set(step["step"].to_pylist()) == {2}
    assert len(trained.rollouts()) == sum(trained.metrics()["rollout/sampled"].to_pylist())
    scores = trained.evaluations().to_pylist()
    assert [row["step"] for row in scores] == [0, 5]
    assert scores[0]["low"] <= scores[0]["accuracy"] <= scores[0]["high"]
    with pytest.raises(ConfigError, match=r"no rollouts of step 9.*expected 1 to 5"):
        trained.rollouts(step=9)
    with pytest.raises(CheckpointError, match="no run here"):
        reasonrl.Run(trained.directory / "rollouts")


def test_changes_of_a_whole_recipe_are_not_ignored(trained, tmp_path):
    with pytest.raises(ConfigError, match="overrides would be ignored"):
        reasonrl.train(trained.recipe, tmp_path / "run", overrides={"seed": 2})
    assert not (tmp_path / "run").exists()


def test_an_evaluation_is_read_as_tables(trained, tmp_path):
    done = reasonrl.evaluate(
        trained, "train", compare="tiny", k=2, limit=5, directory=tmp_path, quiet=True
    )
    rows = done.scores().to_pylist()
    assert {row["model"] for row in rows} == {"tiny", str(trained.directory)}
    assert len(done.samples()) == 2 * 2 * 5
    assert len(done.results.comparisons) == 1


def test_a_callback_sees_each_step_and_can_stop_the_run(trained, tmp_path):
    seen = []

    def on_step(metrics):
        seen.append(metrics["step"])
        return metrics["step"] == 2

    run = reasonrl.train("tiny", tmp_path / "run", overrides=SHORT, on_step=on_step, quiet=True)
    assert seen == [1, 2]
    assert (run.status.phase, run.status.step, run.is_finished) == ("stopped", 2, False)
    with pytest.raises(CheckpointError, match=r"no final model yet.*reasonrl\.resume"):
        _ = run.model
    again = reasonrl.resume(run, on_step=lambda metrics: seen.append(metrics["step"]), quiet=True)
    assert seen == [1, 2, 3, 4, 5]
    assert metrics_of(again.directory) == metrics_of(trained.directory)


def test_a_program_may_give_its_own_problems(tmp_path):
    def stop(metrics):
        return metrics["step"] == 2

    run = reasonrl.train(
        "tiny", tmp_path / "run", overrides=GIVEN, problems={"sums": ROWS}, on_step=stop, quiet=True
    )
    assert set(run.rollouts()["prompt"].to_pylist()) <= {row["q"] for row in ROWS}
    said = here("resume", run.directory).stderr
    assert "no rows are given for the source 'sums'" in said
    assert "pass problems={'sums': rows} to reasonrl.train, resume or evaluate" in said
    other = [{"q": "1 + 1 =", "a": 3}, *ROWS[1:]]
    with pytest.raises(ReasonRLError, match="ids and answers have changed"):
        reasonrl.resume(run, problems={"sums": other}, quiet=True)
    assert reasonrl.resume(run, problems={"sums": iter(ROWS)}, quiet=True).is_finished
    wrong = {"sums": [{"x": 1}]}
    with pytest.raises(DataError, match='sums:1: no column "q"'):
        reasonrl.train("tiny", tmp_path / "bad", overrides=GIVEN, problems=wrong, quiet=True)


def test_a_program_may_judge_by_itself(tmp_path):
    def judge(items):
        return [Verdict(reward=len(item.response) % 2, status=Status.CORRECT) for item in items]

    run = reasonrl.train("tiny", tmp_path / "run", overrides=SHORT, judge=judge, quiet=True)
    rows = run.rollouts(step=1).to_pylist()
    assert all(row["reward"] == len(row["text"]) % 2 for row in rows)
    done = reasonrl.evaluate(run, "train", judge=judge, k=1, directory=tmp_path / "e", quiet=True)
    assert all(row["reward"] == len(row["text"]) % 2 for row in done.samples().to_pylist())


def test_own_engines_train_as_the_recipes_do(trained, tmp_path):
    recipe = trained.recipe
    both = local_engine(load_model("tiny", seed=1), recipe.engine, recipe.optimizer)
    own = {"rollout": both, "learner": both, "quiet": True}
    run = reasonrl.train("tiny", tmp_path / "both", overrides=SHORT, **own)
    assert without_gaps(run) == without_gaps(trained)
    sampler = LocalSampler(load_model("tiny", seed=7), token_budget=4096, max_rows=128)
    own = {"rollout": sampler, "quiet": True}
    half = reasonrl.train("tiny", tmp_path / "sampler", overrides=SHORT, **own)
    assert without_gaps(half) == without_gaps(trained)
    assert max(row["sync/gap_nats"] or 0 for row in metrics_of(half.directory)) < 1e-5


def test_grade_judges_one_response():
    verdict = reasonrl.grade(r"So it is \boxed{0.5}", r"\frac{1}{2}")
    assert (verdict.reward, verdict.status) == (1.0, Status.CORRECT)
    assert reasonrl.grade("x", "5", truncated=True).status is Status.TRUNCATED
    tests = json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]})
    program = "```python\nprint(sum(map(int, input().split())))\n```"
    assert reasonrl.grade(program, tests, kind="code").reward == 1.0


@pytest.mark.parametrize(
    "value",
    [2, 0.5, True, "a b", 'say "x"', ["a", 1], [{"type": "file", "where": {"a b": [1]}}], []],
)
def test_python_values_become_values_of_a_recipe(value):
    table: dict[str, object] = {}
    for word in overrides_of({"a.b": value}):
        apply_override(table, word)
    assert table == {"a": {"b": value}}


def test_a_table_of_changes_sets_each_of_its_keys():
    words = overrides_of({"model.chat_template_args": {"quick": True, "n": 2}})
    assert words == ["model.chat_template_args.quick=true", "model.chat_template_args.n=2"]
    assert overrides_of(["seed=2"]) == ["seed=2"]


def test_the_page_of_the_api_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    scope: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/api.md", "exec"), scope)
    assert scope["run"].status.step == 3


@pytest.mark.filterwarnings("default")  # those of Jupyter's own libraries
def test_the_notebook_runs_as_it_stands(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    path = REPOSITORY / "examples" / "own_reward.ipynb"
    shown = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    done = NotebookClient(nbformat.from_dict(shown), timeout=200, resources=resources).execute()
    printed = "".join(
        out["text"]
        for cell in done.cells
        for out in cell.get("outputs", [])
        if out.output_type == "stream" and out["name"] == "stdout"
    )
    first, last = map(float, re.findall(r"nearness: (\S+) at the first step, (\S+) at", printed)[0])
    assert last > first + 0.2
    saved = path.read_text(encoding="utf-8")
    assert "finished, step 40 of 40" in saved  # it is kept with its results
    assert '"ename"' not in saved
