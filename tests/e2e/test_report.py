"""`reasonrl report`: a run's page after a kill and after an error; a page of several runs."""

import shutil

import pytest

from tests.e2e.support import RECIPES
from tests.e2e.support import reasonrl_here as reasonrl

SHORT = ("--set", "stage.1.steps=2", "--set", "stage.2.steps=2", "--set", "engine.threads=1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "first"
    done = reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *SHORT)
    assert done.returncode == 0, done.stderr
    return run


def test_the_page_has_the_command_the_machine_and_the_recipe(finished):
    page = (finished / "report.html").read_text()
    assert "reasonrl train" in page
    assert "tokens a second" in page
    assert "config.toml, everything resolved" in page
    assert "2 of 4" not in page


def test_a_page_can_be_made_after_a_kill(finished, tmp_path):
    run = tmp_path / "killed"
    shutil.copytree(finished, run)
    for name in ("summary.json", "report.html", "entropy.json", "curves.svg"):
        (run / name).unlink()
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join(lines[:3]) + '\n{"step": 4, "tor')
    done = reasonrl("report", run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(run / "report.html")
    assert "3 of 4" in (run / "report.html").read_text()


def test_an_error_leaves_a_page_that_says_so(tmp_path):
    (tmp_path / "broken.py").write_text("def broken(record):\n    return record.nothing\n")
    recipe = tmp_path / "broken.toml"
    recipe.write_text(
        'extends = "tiny"\nsuite = []\n'
        '[[reward]]\ntype = "function"\nfunction = "broken.py:broken"\n'
    )
    done = reasonrl("train", recipe, "--run-dir", tmp_path / "run", *SHORT)
    assert done.returncode == 2, done.stderr
    page = (tmp_path / "run" / "report.html").read_text()
    assert "The run ended with an error" in page
    assert "stopped by an error" in page


def test_a_directory_of_runs_has_an_overview(finished, tmp_path):
    for name in ("one", "two & three"):
        shutil.copytree(finished, tmp_path / name)
    done = reasonrl("report", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "index.html").read_text()
    assert 'href="one/report.html"' in page
    assert "two &amp; three" in page
    assert page.count("<figure>") == 4


def test_no_run_is_named(tmp_path):
    done = reasonrl("report", tmp_path / "nothing")
    assert done.returncode == 2
    assert "no run here" in done.stderr
