"""A fake engine: both protocols, on a policy that never changes.

The policy is uniform over a small vocabulary, so that every number is known without a model: a
token has the log-probability -ln V and the entropy ln V at any temperature, and every ratio is 1.
An update computes no gradient and only counts. For tests of the code around an engine, and for
readers who look for the duties of an engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from reasonrl.algo.loss import Objective
from reasonrl.engines.checksums import Checksums
from reasonrl.engines.protocols import Finished, Progress, TokenValue, TrainBatch, UpdateStats
from reasonrl.engines.tensor_files import WHOLE, check_names, unreadable
from reasonrl.engines.update import check_not_empty, kept
from reasonrl.engines.weights import MOMENT, WEIGHT, Weights
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, StopReason, Tokens

_WEIGHT, _MOMENT = f"{WEIGHT}updates", f"{MOMENT}step.updates"


class FakeEngine:
    """Sample uniformly from `vocabulary` ids, of which `eos_id` ends a completion; count updates.

    `n_updates` is the whole policy and `n_steps` the whole state of the optimizer.
    """

    def __init__(
        self, *, vocabulary: int = 8, eos_id: int = 0, keep_reference: bool = False
    ) -> None:
        self.vocabulary, self.eos_id = vocabulary, eos_id
        self.version = self.n_updates = self.n_steps = 0
        self._logprob = -float(np.log(vocabulary))
        self._reference = self._logprob if keep_reference else None

    # sampling

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        groups = [
            [
                self._completion(prompt.seed, index, sampling)
                for index in prompt.members(sampling.group_size)
            ]
            for prompt in prompts
        ]
        for number, (prompt, group) in enumerate(zip(prompts, groups, strict=True)):
            for index, completion in zip(prompt.members(sampling.group_size), group, strict=True):
                if on_finished:
                    on_finished(number, index, completion)
        return groups

    def _completion(self, seed: int, index: int, sampling: Sampling) -> Completion:
        """Sample one rollout from (prompt seed, index) alone, whatever is sampled beside it."""
        rng = np.random.default_rng((seed, index))
        tokens = rng.integers(self.vocabulary, size=sampling.max_new_tokens, dtype=np.int32)
        if sampling.temperature == 0.0:
            # All tokens are equally likely, and greedy takes the first.
            tokens[:] = 0
        [ends] = np.nonzero(tokens == self.eos_id)
        if len(ends):
            tokens = tokens[: ends[0] + 1]
        return Completion(
            tokens=tokens,
            logprobs=np.full(len(tokens), self._logprob, np.float32),
            stop=StopReason.STOP if len(ends) else StopReason.LENGTH,
            version=self.version,
        )

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        return [np.full(len(completion), self._logprob, np.float32) for _, completion in pairs]

    def checksums(self) -> Checksums:
        return {}

    def load_weights(self, weights: Weights, *, version: int) -> None:
        self.version = version

    # learning

    def at_tokens(self, batch: TrainBatch, what: TokenValue, *, temperature: float) -> Logprobs:
        match what:
            case TokenValue.LOGPROBS:
                value = self._logprob
            case TokenValue.REFERENCE_LOGPROBS:
                value = kept(self._reference)
            case TokenValue.ENTROPIES:
                value = -self._logprob
        return np.full(batch.n_tokens, value, np.float32)

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        check_not_empty(batch)
        self.n_updates += 1
        self.n_steps += 1
        if progress:
            progress(batch.n_rollouts)
        advantages = [value for group in batch.groups for value in group.advantages]
        return UpdateStats.of(
            batch,
            {
                "policy": float(np.dot(advantages, batch.lengths)),
                "entropy": -self._logprob * batch.n_tokens,
                "kl": 0.0,
                "ratio": float(batch.n_tokens),
                "clipped": 0.0,
            },
            n_microbatches=1,
            gradient_norm=0.0,
            logprobs_N=self.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0),
            entropies_N=self.at_tokens(batch, TokenValue.ENTROPIES, temperature=1.0),
        )

    # weights and state

    def weights(self) -> Weights:
        return Weights(tensors={}, version=self.version)

    def save(self, directory: Path) -> None:
        state = {_WEIGHT: np.array([self.n_updates]), _MOMENT: np.array([self.n_steps])}
        save_file(state, directory / WHOLE)

    def load(self, directory: Path) -> None:
        try:
            state = load_file(directory / WHOLE)
        except (OSError, SafetensorError) as error:
            raise unreadable(directory, error) from error
        check_names(state, ["updates"], where=directory)
        self.n_updates = int(state[_WEIGHT][0])
        self.n_steps = int(state[_MOMENT][0]) if _MOMENT in state else 0

    def reset_optimizer(self) -> None:
        self.n_steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: this engine holds nothing outside its process."""
