"""Who has the GPU when: the laws of taking turns, on engines of one process without a GPU."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine, LocalSampler
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.turns import LearnerInTurn, RolloutInTurn, Turns
from reasonrl.models.hf import load_model
from reasonrl.types import Sampling
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of

PLAIN = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)
SHORT = Sampling(max_new_tokens=12, group_size=6)


class Logged(LocalEngine):
    """A local engine that writes down when it left the GPU and came back."""

    def rest(self) -> None:
        self.moves = [*getattr(self, "moves", []), "rest"]
        super().rest()

    def return_to_work(self) -> None:
        self.moves = [*self.moves, "work"]
        super().return_to_work()


def learner(kind=LocalEngine) -> LocalEngine:
    return kind(load_model("tiny", seed=1), OPTIMIZER, token_budget=4096, max_rows=64)


def sampler() -> LocalSampler:
    return LocalSampler(load_model("tiny", seed=2), token_budget=4096, max_rows=64)


def digest(engine: LocalEngine) -> str:
    state = engine.state_dict()
    rows = (state[name].numpy().tobytes() for name in sorted(state))
    return hashlib.sha256(b"".join(rows)).hexdigest()


@pytest.mark.parametrize("yields", [False, True])
def test_engines_in_turn_train_as_engines_side_by_side(yields):
    alone = learner()
    turns = Turns(learner(), sampler, yields=yields)
    rollout, in_turn = RolloutInTurn(turns), LearnerInTurn(turns)
    rollout.load_weights(in_turn.weights(), version=0)
    prompts = prompts_of(alone, TEXTS)
    for version in (1, 2, 3):
        groups = rollout.generate(prompts, SHORT)
        expected = alone.generate(prompts, SHORT)
        tokens = [c.tokens.tolist() for group in groups for c in group]
        assert tokens == [c.tokens.tolist() for group in expected for c in group]
        for engine in (in_turn, alone):
            engine.update(batch_of(prompts, groups), PLAIN, learning_rate=3e-3)
        rollout.load_weights(in_turn.weights(), version=version)
    assert digest(turns.learner) == digest(alone)


def test_a_sampler_that_rested_gets_its_weights_back(tmp_path):
    """A checkpoint between a sync and an evaluation takes the GPU from the sampler."""
    turns = Turns(learner(), sampler)
    rollout, in_turn = RolloutInTurn(turns), LearnerInTurn(turns)
    rollout.load_weights(in_turn.weights(), version=3)
    in_turn.save(tmp_path)
    assert turns.rollout.version == -1
    prompts = prompts_of(turns.learner, TEXTS)
    groups = rollout.generate(prompts, SHORT)
    assert {completion.version for group in groups for completion in group} == {3}
    sampled = np.concatenate([c.logprobs for group in groups for c in group])
    scored = in_turn.at_tokens(batch_of(prompts, groups), TokenValue.LOGPROBS, temperature=1.0)
    np.testing.assert_allclose(sampled, scored, rtol=0, atol=2e-5)


def test_only_a_learner_that_yields_leaves_the_gpu():
    for yields, moves in ((True, ["rest", "work", "rest"]), (False, [])):
        logged = learner(Logged)
        turns = Turns(logged, sampler, yields=yields)
        turns.load(turns.learner.weights(), version=0)
        turns.learn()
        turns.sample()
        assert getattr(logged, "moves", []) == moves
