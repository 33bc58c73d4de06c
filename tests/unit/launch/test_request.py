"""What stands on the command line of `reasonrl eval`, and what is meant by it."""

from pathlib import Path

import pytest

from reasonrl.errors import ConfigError
from reasonrl.launch.models import run_of
from reasonrl.launch.request import BENCHMARKS, EvalOptions, load_base, named_directory, settle
from reasonrl.recipe.toml import load_eval_recipe
from tests.e2e.support import RECIPES


def suites_of(base=None, **options):
    request = settle(base, EvalOptions(**options))
    return {suite.name: suite for suite in request.recipe.suite}


def test_a_benchmark_has_the_reports_samples_and_tokens():
    suites = suites_of(suites=BENCHMARKS)
    assert {name: suite.k for name, suite in suites.items()} == {
        "aime24": 32, "aime25": 32, "math500": 4, "gsm8k": 4, "humaneval": 4, "mbpp": 4,
        "livecodebench": 4,
    }  # fmt: skip
    assert {suite.max_new_tokens for suite in suites.values()} == {32_768}
    assert {suite.temperature for suite in suites.values()} == {1.0}


def test_only_a_limit_that_nobody_gave_is_open_ended():
    assert settle(None, EvalOptions(suites=["gsm8k"])).open_ended == {"gsm8k"}
    given = settle(None, EvalOptions(suites=["gsm8k"], max_new_tokens=9))
    assert given.open_ended == frozenset()
    report = load_eval_recipe(RECIPES / "eval-or1.toml")
    assert settle(report, EvalOptions()).open_ended == frozenset()


def test_options_lie_over_the_recipe_for_every_suite():
    report = load_eval_recipe(RECIPES / "eval-or1.toml")
    suites = suites_of(report, k=2, temperature=0.6, data=Path("/data"), style="bare", limit=7)
    for suite in suites.values():
        assert (suite.k, suite.temperature, suite.limit) == (2, 0.6, 7)
        assert suite.sources[0].path == Path("/data")
    assert suites["aime24"].sources[0].style == "bare"
    assert suites["livecodebench"].sources[0].release == 5


def test_suites_are_chosen_from_the_recipe_by_name():
    base = load_eval_recipe(RECIPES / "quickstart.toml")
    request = settle(base, EvalOptions(suites=["heldout"], unboxed=False))
    assert [suite.name for suite in request.recipe.suite] == ["heldout"]
    assert request.recipe.system_prompt == "Answer with a number."


def test_a_file_of_problems_is_a_suite_named_after_it(tmp_path):
    path = tmp_path / "mine.v2.jsonl"
    path.write_text('{"id": 1, "prompt": "1+1", "answer": 2}\n')
    suite = suites_of(suites=[str(path)])["mine"]
    assert suite.sources[0].path == path


def test_any_value_can_be_set():
    request = settle(None, EvalOptions(suites=["gsm8k"], overrides=["verify.workers=2"]))
    assert request.recipe.verify.workers == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "no suite to evaluate on"),
        ({"suites": ["aime2025"]}, "did you mean aime25"),
        ({"suites": ["gone.jsonl"]}, "no such file"),
        ({"suites": ["gsm8k"], "k": 0}, "suite.1.k = 0"),
        ({"suites": ["gsm8k"], "limit": 0}, "suite.1.limit = 0"),
        ({"suites": ["gsm8k"], "temperature": -1.0}, "temperature"),
        ({"suites": ["gsm8k"], "style": "boxed"}, "expected one of report, instruction, bare"),
        ({"suites": ["gsm8k", "gsm8k"]}, "two suite tables share a name"),
        ({"suites": ["mbpp"], "style": "bare"}, "--style bare"),
        ({"suites": ["gsm8k"], "overrides": ["verify.deadline=2"]}, "verify.deadline_s"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(options, expected):
    with pytest.raises(ConfigError, match=expected):
        settle(None, EvalOptions(**options))


def test_the_same_question_is_kept_in_the_same_place_whatever_the_machine():
    one = settle(None, EvalOptions(suites=["gsm8k"], k=2))
    same = settle(None, EvalOptions(suites=["gsm8k"], k=2, overrides=["engine.threads=1"]))
    other = settle(None, EvalOptions(suites=["gsm8k"], k=3))
    assert named_directory(one, "a/b") == named_directory(same, "a/b")
    assert named_directory(one, "a/b") != named_directory(other, "a/b")
    assert named_directory(one, "a/b") != named_directory(one, "a/c")


def test_another_way_to_compute_is_another_question():
    one = settle(None, EvalOptions(suites=["gsm8k"]))
    other = settle(None, EvalOptions(suites=["gsm8k"], overrides=['engine.compute="bfloat16"']))
    assert named_directory(one, "m") != named_directory(other, "m")


def test_a_config_two_folders_up_does_not_make_a_model_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text((RECIPES / "quickstart.toml").read_text())
    assert run_of("Qwen/Qwen3-8B") is None
    assert load_base(None, "tiny", ()) is None


def test_paths_in_overrides_start_at_the_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.jsonl").write_text('{"id": 1, "prompt": "1+1", "answer": 2}\n')
    request = settle(None, EvalOptions(
        suites=["s.jsonl"], overrides=["suite.1.sources.1.path=s.jsonl"]))  # fmt: skip
    assert request.recipe.suite[0].sources[0].path == tmp_path / "s.jsonl"


def test_the_name_of_a_suite_with_several_temperatures_stands_for_them(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(
        'name = "two"\n[[suite]]\nname = "aime24"\nsources = [{type = "aime24"}]\nk = 7\n'
        "max_new_tokens = 9\ntemperature = [0.6, 1.0]\n"
    )
    base = load_eval_recipe(path)
    suites = suites_of(base, suites=["aime24"])
    assert {name: suite.k for name, suite in suites.items()} == {"aime24-t0.6": 7, "aime24-t1.0": 7}
    with pytest.raises(ConfigError, match="name holds its own temperature"):
        settle(base, EvalOptions(temperature=0.3))


def test_a_file_with_any_name_is_a_suite(tmp_path):
    path = tmp_path / "my problems (1).jsonl"
    path.write_text('{"id": 1, "prompt": "1+1", "answer": 2}\n')
    assert list(suites_of(suites=[str(path)])) == ["my-problems-1"]


def test_a_runs_own_recipe_is_used_unless_other_suites_are_asked_for(tmp_path):
    (tmp_path / "config.toml").write_text((RECIPES / "quickstart.toml").read_text())
    assert load_base(None, str(tmp_path), ()).system_prompt == "Answer with a number."
    assert load_base(None, str(tmp_path / "checkpoints" / "step-1"), ["heldout"]) is not None
    assert load_base(None, str(tmp_path), ["gsm8k"]) is None
    assert load_base(None, "some/model", ()) is None
