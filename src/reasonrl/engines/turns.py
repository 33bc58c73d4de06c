"""Sampler and learner in turn on the same GPUs: one side works while the other frees its memory.

A sampler drops its weights when it rests, and gets the newest ones when it works again. A learner
that `yields` moves its weights and moments to the host's memory meanwhile; a learner that does not
stays where it is. A call gives the GPUs to the side that it is made on, so callers need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from reasonrl.algo.loss import Objective
from reasonrl.engines.checksums import Checksums
from reasonrl.engines.protocols import (
    Finished,
    LearnerEngine,
    Progress,
    RolloutEngine,
    TokenValue,
    TrainBatch,
    UpdateStats,
)
from reasonrl.engines.weights import Weights
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens


class RestingRollout(RolloutEngine, Protocol):
    """An engine that samples and can leave its GPU; it needs weights before it samples again."""

    def rest(self) -> None: ...


class RestingLearner(LearnerEngine, Protocol):
    """An engine that learns and can leave its GPU; it keeps everything in the host's memory."""

    def rest(self) -> None: ...
    def return_to_work(self) -> None: ...


R = TypeVar("R", bound=RestingRollout)
L = TypeVar("L", bound=RestingLearner)


class Turns(Generic[R, L]):
    """The state of who has the GPUs. The learner was started first and has them at the beginning.

    `start_rollout` is called once the learner has freed them, because an engine measures the free
    memory when it starts.
    """

    def __init__(self, learner: L, start_rollout: Callable[[], R], *, yields: bool = True) -> None:
        self.learner = learner
        self._yields = yields
        self._weights: tuple[Weights, int] | None = None
        if yields:
            learner.rest()
        self.rollout = start_rollout()
        self._is_learning = False

    def learn(self) -> L:
        """Give the GPUs to the learner."""
        if not self._is_learning:
            self.rollout.rest()
            if self._yields:
                self.learner.return_to_work()
            self._is_learning = True
        return self.learner

    def sample(self) -> R:
        """Give the GPUs to the sampler, which gets its last weights back."""
        if self._is_learning:
            self._wake()
            if self._weights is not None:
                weights, version = self._weights
                self.rollout.load_weights(weights, version=version)
        return self.rollout

    def load(self, weights: Weights, *, version: int) -> None:
        """Give the sampler new weights, and the GPUs if it does not have them."""
        self._weights = (weights, version)
        self._wake()
        self.rollout.load_weights(weights, version=version)

    def _wake(self) -> None:
        if self._is_learning and self._yields:
            self.learner.rest()
        self._is_learning = False


class RolloutInTurn:
    """The rollout protocol on shared GPUs."""

    def __init__(self, turns: Turns[R, L]) -> None:
        self._turns = turns

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        return self._turns.sample().generate(prompts, sampling, on_finished=on_finished)

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        return self._turns.sample().score(pairs, temperature=temperature)

    def checksums(self) -> Checksums:
        return self._turns.sample().checksums()

    def load_weights(self, weights: Weights, *, version: int) -> None:
        self._turns.load(weights, version=version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._turns.rollout.__exit__(None, None, None)


class LearnerInTurn:
    """The learner's protocol on shared GPUs."""

    def __init__(self, turns: Turns[R, L]) -> None:
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
        self._turns.learner.__exit__(None, None, None)
