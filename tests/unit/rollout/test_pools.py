"""From sources to pools: filters, limits, and refusals."""

import json

import pytest

from reasonrl.errors import ConfigError, DataError
from reasonrl.models.hf import load_model
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.pools import encode_pools, load_problem_lists, sources_of
from tests.e2e.support import RECIPES


def pools_of(*overrides):
    recipe = load_recipe(RECIPES / "tiny.toml", ("rollout.prompts_per_step=2", *overrides))
    model = load_model("tiny")
    return encode_pools(
        recipe, load_problem_lists(sources_of(recipe)), model.tokenizer, model.context
    )


@pytest.fixture
def rows(tmp_path):
    """A file of problems with pass counts of a model, and one long prompt."""
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for number in range(6):
            row = {
                "id": f"p{number}",
                "prompt": "x" * (200 if number == 5 else 3),
                "answer": str(number),
                "difficulty": {"some-7B": 4 * number if number < 5 else 8},
            }
            file.write(json.dumps(row) + "\n")
    return f'data.sources=[{{type="file", path="{path}"}}]'


def ids(pool):
    return [item.problem.id for item in pool]


def test_prompts_over_the_limit_are_dropped(rows):
    assert ids(pools_of(rows).stages[0]) == ["p0", "p1", "p2", "p3", "p4"]
    assert len(pools_of(rows, "rollout.max_prompt_tokens=500").stages[0]) == 6


def test_difficulty_keeps_what_is_neither_always_nor_never_solved(rows):
    pool = pools_of(rows, 'data.difficulty={model="some-7B"}').stages[0]
    assert ids(pool) == ["p1", "p2", "p3"]  # 4, 8 and 12 failures of 16; 0 and 16 are out
    bounds = 'data.difficulty={model="some-7B", minimum=8, maximum=16}'
    assert ids(pools_of(rows, bounds).stages[0]) == ["p2", "p3", "p4"]


def test_an_unknown_difficulty_model_is_refused(rows):
    with pytest.raises(DataError, match="some-7B"):
        pools_of(rows, 'data.difficulty={model="other"}')


def test_a_system_prompt_becomes_part_of_every_prompt():
    plain, guided = pools_of().stages[0], pools_of('model.system_prompt="Hi."').stages[0]
    assert {len(g.tokens) - len(p.tokens) for g, p in zip(guided, plain, strict=True)} == {4}


def test_a_code_problem_without_tests_is_named(tmp_path):
    path = tmp_path / "code.jsonl"
    path.write_text('{"id": "a", "prompt": "x", "answer": "{}", "kind": "code"}\n')
    with pytest.raises(DataError, match="problem 'a': no tests"):
        pools_of(f'data.sources=[{{type="file", path="{path}"}}]')


def test_two_sources_with_one_id_are_refused():
    source = '{type="arithmetic", operators=["add"], max_operand=4, heldout=5}'
    with pytest.raises(DataError, match="two sources"):
        pools_of(f"data.sources=[{source}, {source}]")


def test_prompt_and_completion_must_fit_the_context():
    with pytest.raises(ConfigError, match="context of 4096"):
        pools_of("stage.1.rollout.max_new_tokens=4090")


def test_the_template_is_applied_once_to_each_problem_whatever_shares_it():
    recipe = load_recipe(RECIPES / "tiny.toml")  # two stages and a suite on the same problems
    model, seen = load_model("tiny"), []

    class Counting:
        def encode_chat(self, messages):
            seen.append(messages)
            return model.tokenizer.encode_chat(messages)

    pools = encode_pools(recipe, load_problem_lists(sources_of(recipe)), Counting(), model.context)
    assert len(seen) == len(pools.stages[0]) == len(pools.stages[1]) == len(pools.suites["train"])


def suite_ids(limit):
    suite = f'{{name="s", sources=[{{type="arithmetic"}}], max_new_tokens=4, limit={limit}}}'
    return ids(pools_of(f"suite=[{suite}]").suites["s"])


def test_a_larger_limit_adds_problems_to_those_of_a_smaller_one_in_the_files_order():
    whole = suite_ids(191)
    small, large = suite_ids(10), suite_ids(50)
    assert len(small) == 10
    assert len(large) == 50
    assert set(small) < set(large)
    for chosen in (small, large):
        assert chosen == sorted(chosen, key=whole.index)
    assert large != whole[:50]


def test_a_suite_never_loses_a_problem_to_its_length(rows):
    suite = f'suite=[{{name="s", {rows.removeprefix("data.")}, max_new_tokens=4090}}]'
    with pytest.raises(ConfigError, match="p5"):
        pools_of(suite)
