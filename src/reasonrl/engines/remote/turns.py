"""Samplers and learner in turn on the same GPUs: one side works while the other frees its memory.

Samplers drop their weights when they rest, and get the newest ones when they work again. The
learner's weights wait in the host's memory. A call gives the GPUs to the side that it is made on,
so callers need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from reasonrl.algo.loss import Objective
from reasonrl.engines.protocols import Finished, Progress, TokenValue, TrainBatch, UpdateStats
from reasonrl.engines.remote.learner import RemoteLearner
from reasonrl.engines.remote.rollout import RemoteRollout
from reasonrl.engines.weights import Weights
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens


class Turns:
    """The state of who has the GPUs. The learner was started first and has them at the beginning.

    `start_rollout` is called once the learner has freed them, because an engine measures the free
    memory when it starts.
    """

    def __init__(self, learner: RemoteLearner, start_rollout: Callable[[], RemoteRollout]) -> None:
        self.learner = learner
        learner.rest()
        self.rollout = start_rollout()
        self._is_learning = False

    def learn(self) -> RemoteLearner:
        """Give the GPUs to the learner."""
        if not self._is_learning:
            self.rollout.rest()
            self.learner.return_to_work()
            self._is_learning = True
        return self.learner

    def sample(self, *, has_weights: bool = True) -> RemoteRollout:
        """Give the GPUs to the samplers; with `has_weights` they get their last weights back."""
        if self._is_learning:
            self.learner.rest()
            self._is_learning = False
            if has_weights:
                self.rollout.recall_weights()
        return self.rollout


class RolloutInTurn:
    """The rollout protocol on shared GPUs."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        return self._turns.sample().generate(prompts, sampling, on_finished=on_finished)

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        return self._turns.sample().score(pairs, temperature=temperature)

    def load_weights(self, weights: Weights, *, version: int) -> None:
        self._turns.sample(has_weights=False).load_weights(weights, version=version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._turns.rollout.__exit__(*error)


class LearnerInTurn:
    """The learner's protocol on shared GPUs."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def at_tokens(self, batch: TrainBatch, what: TokenValue, *, temperature: float) -> Logprobs:
        return self._turns.learn().at_tokens(batch, what, temperature=temperature)

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        return self._turns.learn().update(
            batch, objective, learning_rate=learning_rate, progress=progress
        )

    def weights(self) -> Weights:
        return self._turns.learn().weights()

    def save(self, directory: Path) -> None:
        self._turns.learn().save(directory)

    def load(self, directory: Path) -> None:
        self._turns.learn().load(directory)

    def reset_optimizer(self) -> None:
        self._turns.learn().reset_optimizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._turns.learner.__exit__(*error)
