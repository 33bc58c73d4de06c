"""The pipelined loop: nothing lost, nothing doubled, never staler than allowed."""

import threading

import numpy as np
import pytest

from reasonrl.algo.choices import Correction
from reasonrl.data.sources import arithmetic_problems
from reasonrl.engines.local import LocalSampler
from reasonrl.errors import ConfigError, EngineError
from reasonrl.loop.pipelined import PipelinedTrainer
from reasonrl.loop.state import initial_state
from reasonrl.loop.trainer import Trainer
from reasonrl.models.hf import load_model
from reasonrl.recipe import PipelineConfig
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.problems import encode_problems
from reasonrl.types import Completion, Status, StopReason, Verdict
from tests.e2e.support import RECIPES
from tests.unit.loop.test_trainer import Memory, Silence

OVERRIDES = (
    "rollout.prompts_per_step=6", "rollout.group_size=4", "stage.2.rollout.group_size=4",
    "stage.1.steps=6", "stage.2.steps=4", "suite=[]",
)  # fmt: skip


@pytest.fixture
def make(make_engine):
    """Return a function that makes a pipelined trainer, its sampler apart from its learner."""

    def make(*overrides: str, sampler=None, should_stop=lambda: False, **pipeline):
        recipe = load_recipe(RECIPES / "tiny.toml", (*OVERRIDES, *overrides))
        learner = make_engine()
        if sampler is None:
            sampler = LocalSampler(load_model("tiny"), token_budget=4096, max_rows=64)
        sampler.load_weights(learner.weights(), version=0)
        problems = arithmetic_problems(operators=["add"], max_operand=4, heldout=5)
        encoded = encode_problems(problems, learner.model.tokenizer, system_prompt=None)

        def judge(answers):
            return [
                Verdict(reward=float(number % 2), status=Status.CORRECT)
                for number, _ in enumerate(answers)
            ]

        trainer = Trainer(
            recipe=recipe, engine=sampler, learner=learner, tokenizer=learner.model.tokenizer,
            judge=judge, pools=[encoded, encoded], suites={}, recorder=Memory(),
            display=Silence(), save=lambda _state: None, should_stop=should_stop,
            state=initial_state(recipe),
        )  # fmt: skip
        return PipelinedTrainer(trainer, PipelineConfig(**pipeline))

    return make


@pytest.mark.parametrize("staleness", [1, 2, 4])
def test_every_step_is_taken_once_and_no_token_is_too_old(make, staleness):
    loop = make(staleness=staleness)
    assert loop.run()
    rows = loop.trainer.recorder.rows
    assert [row["step"] for row in rows] == list(range(1, 11))
    assert [row["version"] for row in rows] == list(range(1, 11))
    assert all(row["stale/max_updates"] <= staleness for row in rows)
    assert rows[0]["stale/max_updates"] == rows[6]["stale/max_updates"] == 0  # stages start afresh
    for row, selected in zip(rows, loop.trainer.recorder.selected, strict=True):
        ids = [rollout.id for item in selected for rollout in item.group.rollouts]
        assert len(set(ids)) == len(ids) == row["rollout/sampled"]
        assert row["rollout/sampled"] == row["rollout/trained"] + row["rollout/zero_signal"]


def test_the_same_problems_are_drawn_as_in_the_synchronous_loop(make):
    pipelined, synchronous = make(), make()
    pipelined.run()
    synchronous.trainer.run()
    drawn = [
        [[item.group.problem.id for item in step] for step in loop.trainer.recorder.selected]
        for loop in (pipelined, synchronous)
    ]
    assert drawn[0] == drawn[1]


def test_sampling_ahead_happens(make):
    """Were every step sampled with the newest policy, there would be no pipeline."""
    loop = make(staleness=2)
    loop.run()
    assert max(row["stale/max_updates"] for row in loop.trainer.recorder.rows) >= 1


@pytest.mark.parametrize("kind", list(Correction))
def test_the_correction_reaches_the_update(make, kind):
    loop = make("update.learning_rate=0.05", staleness=2, correction=kind)
    loop.run()
    means = [row["update/weight_mean"] for row in loop.trainer.recorder.rows]
    if kind is Correction.NONE:
        assert set(means) == {None}
    else:
        assert any(abs(mean - 1.0) > 1e-3 for mean in means)


def test_the_cap_bounds_the_weights(make):
    loop = make("update.learning_rate=0.05", staleness=2, cap=1.0)
    loop.run()
    assert all(row["update/weight_mean"] <= 1.0 for row in loop.trainer.recorder.rows)


def test_what_fails_while_sampling_ahead_ends_the_run(make):
    class Breaks(LocalSampler):
        calls = 0

        def generate(self, *args, **options):
            self.calls += 1
            if self.calls == 4:
                raise EngineError("broke")
            return super().generate(*args, **options)

    sampler = Breaks(load_model("tiny"), token_budget=4096, max_rows=64)
    loop = make(sampler=sampler)
    with pytest.raises(EngineError, match="broke"):
        loop.run()
    assert len(loop.trainer.recorder.rows) == 3


def test_a_wish_to_stop_is_followed_and_no_thread_stays(make):
    steps = []
    loop = make(should_stop=lambda: len(loop.trainer.recorder.rows) >= 2)
    assert not loop.run()
    steps = [row["step"] for row in loop.trainer.recorder.rows]
    assert steps == [1, 2]
    for thread in threading.enumerate():
        if thread.name.startswith("sampling"):
            thread.join(timeout=30)
            assert not thread.is_alive()


def test_a_resumed_run_draws_on_where_the_last_learned_step_was(make):
    """What was sampled ahead of a checkpoint is sampled again, not skipped."""
    whole = make()
    whole.run()
    first = make(should_stop=lambda: len(first.trainer.recorder.rows) >= 3)
    first.run()
    second = make()
    second.trainer.state = first.trainer.state
    second.trainer.engine.load_weights(first.trainer.learner.weights(), version=3)
    second.trainer.learner.load_state_dict(first.trainer.learner.state_dict())
    second.run()
    names = [
        [item.group.problem.id for item in step]
        for loop in (first, second)
        for step in loop.trainer.recorder.selected
    ]
    assert names == [
        [item.group.problem.id for item in step] for step in whole.trainer.recorder.selected
    ]


def test_versions_of_a_completion_follow_its_updates():
    completion = Completion(
        tokens=np.arange(5, dtype=np.int32), logprobs=np.zeros(5, np.float32),
        stop=StopReason.STOP, version=3, updates=((2, 4), (4, 6)),
    )  # fmt: skip
    assert completion.versions().tolist() == [3, 3, 4, 4, 6]


def test_a_pipeline_in_one_process_is_refused():
    with pytest.raises(ConfigError, match="happen at the same time"):
        load_recipe(RECIPES / "tiny.toml", ("pipeline.staleness=1",))
