"""The fake engine: its numbers are known, and the loop runs on it as on any other."""

import numpy as np
import pytest

from reasonrl.data.sources import arithmetic_problems
from reasonrl.engines.fake import FakeEngine
from reasonrl.engines.protocols import TokenValue
from reasonrl.loop.state import initial_state
from reasonrl.loop.trainer import Trainer
from reasonrl.models.hf import load_tokenizer
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.problems import encode_problems
from reasonrl.types import Prompt, Sampling, Status, Verdict
from tests.conftest import batch_of
from tests.e2e.support import RECIPES
from tests.unit.loop.test_trainer import SMALL, Memory, Silence


def test_every_number_follows_from_the_size_of_the_vocabulary():
    engine = FakeEngine(vocabulary=4)
    prompts = [Prompt(tokens=np.ones(2, dtype=np.int32), seed=1)]
    groups = engine.generate(prompts, Sampling(max_new_tokens=20, group_size=5))
    batch = batch_of(prompts, groups)
    assert batch.rollout_logprobs_N == pytest.approx(np.full(batch.n_tokens, -np.log(4)))
    entropies = engine.at_tokens(batch, TokenValue.ENTROPIES, temperature=0.5)
    assert entropies == pytest.approx(np.full(batch.n_tokens, np.log(4)))


def test_the_loop_runs_on_it():
    recipe = load_recipe(RECIPES / "tiny.toml", SMALL)
    tokenizer, _ = load_tokenizer("tiny")
    problems = arithmetic_problems(operators=["add"], max_operand=4, heldout=5)
    encoded = encode_problems(problems, tokenizer, system_prompt=None)
    engine = FakeEngine(vocabulary=259, eos_id=tokenizer.hf.eos_token_id)

    def judge(answers):
        return [
            Verdict(reward=float(number % 2), status=Status.CORRECT)
            for number, _ in enumerate(answers)
        ]

    trainer = Trainer(
        recipe=recipe, engine=engine, learner=engine, tokenizer=tokenizer, judge=judge,
        pools=[encoded, encoded], suites={}, recorder=Memory(), display=Silence(),
        save=lambda _state: None, should_stop=lambda: False, state=initial_state(recipe),
    )  # fmt: skip
    assert trainer.run()
    rows = trainer.recorder.rows
    assert [row["update/ratio_mean"] for row in rows] == [1.0] * 4
    assert [row["entropy/nats"] for row in rows] == pytest.approx([np.log(259)] * 4)
    assert engine.n_updates == engine.version == trainer.state.version == 4
