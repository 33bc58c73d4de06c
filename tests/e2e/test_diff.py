"""`reasonrl diff`: what differs, and whether it is more than seeds make."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.support import RECIPES
from tests.e2e.support import reasonrl_here as reasonrl

SHORT = ("stage.1.steps=12", "stage.2.steps=6", "engine.threads=1")


def make(run, *settings):
    words = [word for setting in (*SHORT, *settings) for word in ("--set", setting)]
    done = reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *words)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three seeds of the recipe, and three with a rate that moves nothing."""
    folder = tmp_path_factory.mktemp("runs")
    usual = [make(folder / f"usual-{seed}", f"seed={seed}") for seed in (1, 2, 3)]
    still = [
        make(folder / f"still-{seed}", f"seed={seed}", "update.learning_rate=1e-6")
        for seed in (4, 5, 6)
    ]
    return usual, still


def test_two_runs_show_what_differs_and_say_that_seeds_are_unknown(runs):
    (usual, *_), (still, *_) = runs
    done = reasonrl("diff", usual, still)
    assert done.returncode == 0, done.stderr
    assert "how much seeds differ is not known" in done.stdout
    assert "stage.1.update.learning_rate: 0.002 and 1e-06" in done.stdout
    assert "\n  update.learning_rate:" not in done.stdout
    assert "seed" not in done.stdout.split("recipe:")[1].split("versions")[0]
    assert "versions, machine and problems: the same" in done.stdout
    assert "train: 0." in done.stdout


def test_a_difference_beyond_that_of_seeds_is_told_with_its_size(runs, tmp_path):
    usual, still = runs
    page = tmp_path / "page.html"
    done = reasonrl("diff", *usual, "--", *still, "--html", page)
    assert done.returncode == 1, done.stderr
    assert "they differ by more than seeds make" in done.stdout
    assert "entropy, nats" in done.stdout.split("they differ")[1].split("\n")[0]
    text = page.read_text()
    assert text.count("<figure>") >= 4
    assert "they differ by more than seeds make" in text
    assert "<script" not in text


def test_a_run_beside_itself_is_the_same(runs):
    usual, _ = runs
    done = reasonrl("diff", *usual, "--", *usual)
    assert done.returncode == 0
    assert "no difference beyond that of seeds is shown" in done.stdout
    assert "recipe: the same" in done.stdout


def test_what_else_differs_is_named(runs, tmp_path):
    usual, _ = runs
    other = tmp_path / "other"
    shutil.copytree(usual[0], other)
    sessions = (other / "sessions.jsonl").read_text()
    (other / "sessions.jsonl").write_text(sessions.replace('"torch": "2', '"torch": "1'))
    data = (other / "data.json").read_text()
    (other / "data.json").write_text(data.replace('"problems": "', '"problems": "0', 1))
    done = reasonrl("diff", usual[0], other)
    assert "torch: 2" in done.stdout
    assert "problems of stage short" in done.stdout


def test_what_cannot_be_compared_is_exit_code_two(runs, tmp_path):
    usual, still = runs
    for words, said in (
        ((usual[0],), "was given 1 runs"),
        ((*usual,), "was given 3 runs"),
        ((usual[0], tmp_path), "no run here"),
        ((usual[0], still[0], "--", usual[1]), "put runs of other recipes on the other side"),
    ):
        done = reasonrl("diff", *words)
        assert done.returncode == 2
        assert said in done.stderr
