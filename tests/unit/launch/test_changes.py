"""What a resumed run may change, and what of it is announced."""

from reasonrl.launch.changes import computed_otherwise
from reasonrl.recipe.toml import load_recipe
from tests.conftest import REPOSITORY

TINY = REPOSITORY / "recipes" / "tiny.toml"
RAY = ['engine.type="ray"', 'engine.rollout.type="local"']


def test_another_type_or_sampler_is_announced():
    base = load_recipe(TINY, RAY)
    for change, said in (
        ('engine.compute="bfloat16"', "layers compute in bfloat16 and no longer in float32"),
        ('engine.rollout.type="vllm"', "the sampler is vllm and no longer local"),
    ):
        [sentence] = computed_otherwise(base, load_recipe(TINY, [*RAY, change]))
        assert sentence.startswith(said)


def test_other_machines_are_not_announced():
    moved = [*RAY, "engine.rollout.replicas=4", "engine.learner.ranks=2", 'engine.device="cuda"',
             "engine.token_budget=99", "engine.max_rows=3", "engine.recompute=true",
             'engine.placement="shared"', "engine.threads=3"]  # fmt: skip
    assert computed_otherwise(load_recipe(TINY), load_recipe(TINY, moved)) == []
