"""The two seams: what the trainer asks of an engine that samples and of one that learns.

An engine never sees rewards, verifiers, recipes or files, and logits never cross the seam.
`tests/contract` runs the same laws against every engine.

Axes: N trained tokens of a batch, group by group, rollout by rollout, in the batch's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from reasonrl.algo.loss import Objective, TokenSums
from reasonrl.engines.weights import Weights
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens

Progress = Callable[[int], None]
"""Called with the number of rollouts that have just been finished."""

Finished = Callable[[int, int, Completion], None]
"""Called with each completion as it ends: place of its prompt, place in the group, completion."""


SUMS = tuple(field.name for field in fields(TokenSums))
"""The names of the sums over tokens that an update records."""


class TokenValue(StrEnum):
    """A number that a learner knows of each trained token."""

    LOGPROBS = "logprobs"  # the policy's log-probability of the token
    REFERENCE_LOGPROBS = "reference_logprobs"  # that of the frozen reference
    ENTROPIES = "entropies"  # the policy's entropy there in nats, over the whole vocabulary


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainGroup:
    """Hold the kept rollouts of one problem: the prompt once, then each completion's tokens."""

    prompt: Tokens
    completions: tuple[Tokens, ...]
    advantages: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainBatch:
    """Hold the groups of one update. How they are laid out in memory is the engine's business.

    `rollout_logprobs_N` are the sampler's, `old_logprobs_N` the learner's before the first update
    of the step; None means on-policy: this update's own log-probabilities stand for them, so the
    ratio is exactly 1. `ref_logprobs_N` are needed when the KL penalty is on. `weights_N` make up
    for tokens that another policy sampled (algo.correction), or choose among them (algo.focus);
    None is 1 for all. `anchors_N` hold tokens to their old log-probabilities; None is 0 for all.
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
        """Return the tokens of each rollout, in order; their sum is N."""
        return [len(one) for group in self.groups for one in group.completions]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UpdateStats:
    """Hold what one optimizer step did. Sums run over the update's `n_tokens` trained tokens.

    `logprobs_N` are the policy's own before the step, in the batch's order.
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

    @classmethod
    def of(
        cls,
        batch: TrainBatch,
        sums: Mapping[str, float],
        *,
        n_microbatches: int,
        gradient_norm: float,
        logprobs_N: Logprobs,
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
        )


class RolloutEngine(Protocol):
    """Sample completions. A context manager: leaving it frees processes and memory."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        """Return `group_size` completions for each prompt, in order, whatever finished first.

        Of a prompt with `indices` only those members of its group are sampled and returned.
        """
        ...

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        """Return the log-probabilities of given completions after their prompts (an audit)."""
        ...

    def load_weights(self, weights: Weights, *, version: int) -> None:
        """Replace the policy; completions sampled from now on carry this version."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class LearnerEngine(Protocol):
    """Hold the policy and its optimizer. A context manager, like the sampler."""

    def at_tokens(self, batch: TrainBatch, what: TokenValue, *, temperature: float) -> Logprobs:
        """Return a value of each trained token, [N], without gradient.

        Raises EngineError when the reference is asked for and none was kept.
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
        """Take exactly one optimizer step on the token mean of the batch."""
        ...

    def weights(self) -> Weights: ...

    def save(self, directory: Path) -> None:
        """Write weights and optimizer state, all that decides the next step, as safetensors."""
        ...

    def load(self, directory: Path) -> None:
        """Take over what any learner engine saved; CheckpointError when it is another model's."""
        ...

    def reset_optimizer(self) -> None:
        """Forget the moments, as a new optimizer would start."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
