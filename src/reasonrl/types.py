"""The records that cross module borders, named as in the glossary of docs/architecture.md.

Frozen and without behaviour beyond derived properties. Nothing here knows torch, files or config.
Long token arrays are NumPy, so that a paper-size batch (67 million tokens) fits on one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Tokens: TypeAlias = npt.NDArray[np.int32]
"""Token ids, 1-D. From the chat template on, text is ids; ids are never re-encoded."""

Logprobs: TypeAlias = npt.NDArray[np.float32]
"""Natural-log probabilities, one for each token, at the sampling temperature."""

Row: TypeAlias = dict[str, float | int | str | bool | None]
"""One step's metrics by name; docs/metrics.md declares every name."""

Phase: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Open a phase of long work by its name and number of items; yields a function that counts them."""


class Kind(StrEnum):
    """Say which verifier judges a problem."""

    MATH = "math"
    CODE = "code"


class StopReason(StrEnum):
    """Say why a completion ended."""

    STOP = "stop"  # the model emitted an end-of-sequence token, which is kept
    LENGTH = "length"  # the token limit cut it off: "truncated"


class TruncationRule(StrEnum):
    """Say what a truncated rollout (reward 0) does to its group; report section 3.2.3."""

    NONE = "none"  # counts like any other: the report's choice
    MASK_BEFORE = "mask-before"  # left out of the statistics, advantage 0
    MASK_AFTER = "mask-after"  # kept in the statistics, advantage 0


class Correction(StrEnum):
    """Say how the policy term weighs tokens that another policy sampled; see algo.correction."""

    NONE = "none"  # all alike
    TRUNCATED = "truncated"  # by the ratio, at most the cap
    MASKED = "masked"  # by the ratio where it lies in [1 / cap, cap], else 0
    MASKED_ROLLOUT = "masked-rollout"  # whole rollouts, by the geometric mean of their ratios


class Surrogate(StrEnum):
    """Name the policy term; algo.loss has the formulas."""

    PPO = "ppo"  # the report's: the smaller of the free and the clipped product
    CISPO = "cispo"  # the clipped ratio as a constant weight of the log-probability
    GSPO = "gspo"  # PPO with one ratio a rollout, the geometric mean of its tokens'


class EntropyMode(StrEnum):
    """Name who decides the weight of the entropy term."""

    NONE = "none"  # weight 0
    FIXED = "fixed"  # a constant
    REPORT = "report"  # eq. 3.2: gated by this step's entropy
    RELEASE = "release"  # the released code: gated by the last step's entropy
    RELATIVE = "relative"  # ours: no gate, a target that is a share of the first step's entropy


class Status(StrEnum):
    """Say what the verifier found; docs/verifiers.md explains each."""

    # math
    CORRECT = "CORRECT"
    WRONG = "WRONG"
    NO_ANSWER = "NO_ANSWER"
    TRUNCATED = "TRUNCATED"
    EMPTY_BOX = "EMPTY_BOX"
    AMBIGUOUS = "AMBIGUOUS"
    UNPARSABLE = "UNPARSABLE"
    TOO_LARGE = "TOO_LARGE"
    UNEVALUATED = "UNEVALUATED"
    TIMEOUT = "TIMEOUT"
    GOLD_UNPARSABLE = "GOLD_UNPARSABLE"
    # code
    PASS = "PASS"  # noqa: S105  (a verdict, not a password)
    WRONG_ANSWER = "WRONG_ANSWER"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    NONZERO_EXIT = "NONZERO_EXIT"
    COMPILE_ERROR = "COMPILE_ERROR"
    TIME_LIMIT = "TIME_LIMIT"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    NO_CODE = "NO_CODE"
    TAMPERED = "TAMPERED"
    NO_TESTS = "NO_TESTS"
    # both
    INFRA_ERROR = "INFRA_ERROR"


FAILED_STATUSES = frozenset(
    {Status.INFRA_ERROR, Status.GOLD_UNPARSABLE, Status.TIMEOUT, Status.NO_TESTS}
)
"""Statuses in which the verifier could not judge. They carry no reward: the rollout is masked out
of training and counted, because a failure of the checker says nothing about the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Hold one turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Hold what a verifier needs: the kind and the answer key.

    For math `answer` is the gold answer, or a JSON list of accepted answers in a string.
    For code it is a JSON object with the tests.
    """

    kind: Kind
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyItem:
    """One response to judge. `stop_reason` is None where nobody knows why the response ended."""

    task: Task
    response: str
    stop_reason: StopReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Hold one item with its answer key. `difficulty` counts failures of 16, by model name."""

    id: str
    prompt: tuple[Message, ...]
    answer: str
    kind: Kind = Kind.MATH
    source: str = ""
    difficulty: Mapping[str, int] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        return Task(kind=self.kind, answer=self.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Say how to sample. top-p is always 1: a cut support would bias the ratio (docs/algorithm.md).

    `temperature == 0` means greedy, for evaluation only.
    """

    max_new_tokens: int
    temperature: float = 1.0
    group_size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompt:
    """Hold the token ids of one problem and the seed of its rollouts.

    The seed comes from (run seed, purpose, step, problem id), so what is sampled does not depend
    on how an engine arranges its batches. `indices` are the members of the group to sample, None
    for all of them: an evaluation that goes on samples the missing ones only.
    """

    tokens: Tokens
    seed: int
    indices: tuple[int, ...] | None = None

    def members(self, group_size: int) -> Sequence[int]:
        """Return the places in the group that are to be sampled, in order."""
        return range(group_size) if self.indices is None else self.indices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Completion:
    """Hold sampled tokens, EOS included, with the sampler's log-probabilities.

    `version` counts the weight updates that the sampling policy had seen. If it changed while
    this was being sampled, `version` is the first one's and `updates` holds the others, each with
    the place of its first token.
    """

    tokens: Tokens
    logprobs: Logprobs
    stop: StopReason
    version: int
    updates: tuple[tuple[int, int], ...] = ()

    @property
    def is_truncated(self) -> bool:
        return self.stop is StopReason.LENGTH

    def versions(self) -> npt.NDArray[np.int64]:
        """Return the version that sampled each token."""
        versions = np.full(len(self.tokens), self.version)
        for first_token, version in self.updates:
            versions[first_token:] = version
        return versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Hold a verifier's result. `reward` is None if and only if the verifier could not judge."""

    reward: float | None
    status: Status
    reason: str = ""
    extracted: str = ""
    canonical_gold: str = ""
    canonical_answer: str = ""
    tests: tuple[Status, ...] = ()
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def is_failed(self) -> bool:
        return self.reward is None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """Hold a completion, its text and its verdict. `index` is its place in the group."""

    id: str
    index: int
    completion: Completion
    text: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Hold the rollouts of one problem."""

    problem: Problem
    prompt: Tokens
    rollouts: tuple[Rollout, ...]

    @property
    def rewards(self) -> list[float]:
        """Return the rewards of the rollouts that could be judged, in order."""
        verdicts = (rollout.verdict for rollout in self.rollouts)
        return [verdict.reward for verdict in verdicts if verdict.reward is not None]
