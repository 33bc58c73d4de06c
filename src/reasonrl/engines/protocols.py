"""The two protocols: what the trainer asks of an engine that samples and of one that learns.

An engine never sees rewards, verifiers, recipes or files, and logits never leave it.
`tests/contract` runs the same laws against every engine.

Axes: N trained tokens of a batch, group by group, rollout by rollout, in the batch's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Protocol, Self

from reasonrl.algo.loss import Objective, TokenSums
from reasonrl.engines.checksums import Checksums
from reasonrl.engines.weights import Weights
from reasonrl.types import Completion, Logprobs, Prompt, Row, Sampling, Tokens

Progress = Callable[[int], None]
"""A function that is called with the number of rollouts that an update has just finished."""

Finished = Callable[[int, int, Completion], None]
"""A function that is called with each completion as it ends.

Its arguments are the prompt's index, the completion's index in its group, and the completion.
"""


SUMS = tuple(field.name for field in fields(TokenSums))
"""The names of the sums over tokens that an update records."""


class TokenValue(StrEnum):
    """A value that a learner computes for each trained token."""

    LOGPROBS = "logprobs"  # the policy's log-probability of the token
    REFERENCE_LOGPROBS = "reference_logprobs"  # the frozen reference's log-probability of it
    ENTROPIES = "entropies"  # the policy's entropy over the vocabulary, in nats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainGroup:
    """The kept rollouts of one problem: the prompt once, then each completion's tokens."""

    prompt: Tokens
    completions: tuple[Tokens, ...]
    advantages: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainBatch:
    """The groups of one update. The engine decides how they are laid out in memory.

    `rollout_logprobs_N` are the sampler's, `old_logprobs_N` the learner's before the first update
    of the step. When `old_logprobs_N` is None the update is on-policy and uses its own
    log-probabilities, so the ratio is exactly 1. `ref_logprobs_N` are needed when the KL penalty is
    on. `weights_N` correct for tokens that another policy sampled (algo.correction) or choose among
    tokens (algo.focus); None means 1 for every token. `anchors_N` hold tokens to their old
    log-probabilities; None means 0 for every token.
    """

    groups: tuple[TrainGroup, ...]
    rollout_logprobs_N: Logprobs
    old_logprobs_N: Logprobs | None = None
    ref_logprobs_N: Logprobs | None = None
    weights_N: Logprobs | None = None
    anchors_N: Logprobs | None = None

    @property
    def n_tokens(self) -> int:
        return len(self.rollout_logprobs_N)

    @property
    def n_rollouts(self) -> int:
        return sum(len(group.completions) for group in self.groups)

    @property
    def lengths(self) -> list[int]:
        """Return the number of tokens of each rollout, in order; the sum is N."""
        return [len(completion) for group in self.groups for completion in group.completions]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterStats:
    """What the routers of a mixture of experts did with an update's tokens.

    `balance_loss` is that of Switch Transformers (models.routing): the number of experts that take
    a token if all experts get as many, and more if not. `busiest_share` is the largest part of a
    layer's choices that one expert got; `idle_share` is the part of experts that no token chose.
    """

    balance_loss: float
    busiest_share: float
    idle_share: float


def router_row(updates: Sequence[RouterStats]) -> Row:
    """Return the means over a step's updates as metrics; nothing without experts."""
    if not updates:
        return {}
    return {
        f"router/{field.name}": fmean(getattr(stats, field.name) for stats in updates)
        for field in fields(RouterStats)
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UpdateStats:
    """The record of one optimizer step. Sums run over the update's `n_tokens` trained tokens.

    `logprobs_N` are the policy's log-probabilities before the step, in the batch's order, and
    `entropies_N` the entropies in nats of the distributions that they are of.
    """

    n_tokens: int
    n_microbatches: int
    policy_sum: float
    entropy_sum_nats: float
    kl_sum: float
    ratio_sum: float
    clipped_sum: float
    gradient_norm: float
    logprobs_N: Logprobs
    entropies_N: Logprobs
    routers: RouterStats | None = None

    @classmethod
    def of(
        cls,
        batch: TrainBatch,
        sums: Mapping[str, float],
        *,
        n_microbatches: int,
        gradient_norm: float,
        logprobs_N: Logprobs,
        entropies_N: Logprobs,
        routers: RouterStats | None = None,
    ) -> Self:
        """Return the record of an update on `batch`; `sums` has a number for each of `SUMS`."""
        return cls(
            n_tokens=batch.n_tokens,
            n_microbatches=n_microbatches,
            policy_sum=sums["policy"],
            entropy_sum_nats=sums["entropy"],
            kl_sum=sums["kl"],
            ratio_sum=sums["ratio"],
            clipped_sum=sums["clipped"],
            gradient_norm=gradient_norm,
            logprobs_N=logprobs_N,
            entropies_N=entropies_N,
            routers=routers,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenRecord:
    """What the learner computed at each trained token of a step, rollout by rollout.

    `old_logprobs_N` are the policy's before the first update. `entropies_N` are the entropies in
    nats of the policy that the first update of each token found.
    """

    rollout_ids: Sequence[str]
    lengths: Sequence[int]
    old_logprobs_N: Logprobs
    entropies_N: Logprobs


class RolloutEngine(Protocol):
    """An engine that samples. A context manager: leaving it frees processes and memory."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        """Return `group_size` completions for each prompt, in the prompts' order.

        A prompt with `indices` is sampled for these members of its group only.
        """
        ...

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        """Return the log-probabilities of (prompt, completion) pairs; audits compare them."""
        ...

    def checksums(self) -> Checksums:
        """Return the checksums of the weights that are computed with, in the compute dtype."""
        ...

    def load_weights(self, weights: Weights, *, version: int) -> None:
        """Replace the policy. Completions that are sampled afterwards carry this version."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class LearnerEngine(Protocol):
    """An engine that holds the policy and its optimizer. A context manager, as the sampler is."""

    def at_tokens(self, batch: TrainBatch, what: TokenValue, *, temperature: float) -> Logprobs:
        """Return one value for each trained token, [N], without gradient.

        Raises EngineError when `what` needs the reference and the engine keeps none.
        """
        ...

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        """Take exactly one optimizer step on the mean over the batch's tokens."""
        ...

    def weights(self) -> Weights: ...

    def save(self, directory: Path) -> None:
        """Write weights and optimizer state, which decide the next step, as safetensors."""
        ...

    def load(self, directory: Path) -> None:
        """Read what any learner engine saved; CheckpointError when it is of another model."""
        ...

    def reset_optimizer(self) -> None:
        """Drop the moments: the next update starts as with a new optimizer."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
