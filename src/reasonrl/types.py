"""The records that cross module borders, named as in the glossary of docs/architecture.md.

The records are frozen and have no behaviour beyond derived properties. Long token arrays are NumPy,
so that a batch of the report's size (67 million tokens) fits on one machine.
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
"""Token ids, 1-D. After the chat template text exists as ids only, and is never encoded again."""

Logprobs: TypeAlias = npt.NDArray[np.float32]
"""Natural logarithms of probabilities, one per token, at the sampling temperature."""

Row: TypeAlias = dict[str, float | int | str | bool | None]
"""The metrics of one step, by name; docs/metrics.md declares every name."""

Phase: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a phase of long work, given its name and number of items; the context manager yields a
function that counts finished items."""


class Kind(StrEnum):
    """The kind of a problem, which decides the verifier that judges it."""

    MATH = "math"
    CODE = "code"


class StopReason(StrEnum):
    """The reason why a completion ended.

    STOP: the model emitted an end-of-sequence token or a stop text, which the completion keeps.
    LENGTH: the completion reached `max_new_tokens` and was cut off; it is "truncated".
    """

    STOP = "stop"
    LENGTH = "length"


class Status(StrEnum):
    """The result of a verification; docs/verifiers.md explains each."""

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
"""Statuses in which the verifier could not judge. They have no reward: the rollout is counted and
left out of training, because a failure of the verifier says nothing about the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The input of a verifier besides the response: the problem's kind and its answer key.

    For math `answer` is the gold answer, or a JSON list of accepted answers in a string.
    For code it is a JSON object with the tests.
    """

    kind: Kind
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyItem:
    """One response to judge.

    `stop_reason` is None where nobody knows why the response ended. `opens_thought` says that the
    prompt began a thought, so that a response which closes no thought is still in it.
    """

    task: Task
    response: str
    stop_reason: StopReason | None = None
    opens_thought: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A prompt with its answer key. `difficulty` counts failures of 16 attempts, by model name.

    `extra` holds the columns of the problem's row that nobody named, for reward functions. `part`
    is the number of the source that the problem comes from, in its list of sources.
    """

    id: str
    prompt: tuple[Message, ...]
    answer: str
    kind: Kind = Kind.MATH
    source: str = ""
    difficulty: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)
    part: int = 0

    @property
    def task(self) -> Task:
        return Task(kind=self.kind, answer=self.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The settings of sampling.

    Temperature 0 means greedy decoding. `top_p`, `top_k` and `min_p` cut the support; greedy
    decoding and cuts are for evaluation only: with a smaller support the ratio of training would be
    biased (docs/algorithm.md). A completion ends with a text of `stop`, which it keeps.
    """

    max_new_tokens: int
    temperature: float = 1.0
    group_size: int = 1
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChatPrompt:
    """The token ids of a prompt; `opens_thought` says that it begins the thought of the answer."""

    tokens: Tokens
    opens_thought: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompt:
    """The token ids of one problem and the seed of its rollouts.

    The seed comes from (run seed, purpose, step, problem id), so the samples do not depend on how
    an engine arranges its batches. `indices` are the members of the group to sample, None for all:
    a resumed evaluation samples only the missing members.
    """

    tokens: Tokens
    seed: int
    indices: tuple[int, ...] | None = None

    def members(self, group_size: int) -> Sequence[int]:
        """Return the indices of the group's members to sample, in order."""
        return range(group_size) if self.indices is None else self.indices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Completion:
    """Sampled tokens, EOS included, with the sampler's log-probabilities.

    `version` counts the weight updates of the policy that sampled the first token; `updates` holds
    (index of the first token, version) for each later version.
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
        """Return the policy version of each token."""
        versions = np.full(len(self.tokens), self.version)
        for first_token, version in self.updates:
            versions[first_token:] = version
        return versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A verifier's result. `reward` is None if and only if the verifier could not judge."""

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

    @property
    def is_right(self) -> bool | None:
        """Return whether the answer is right; None where the verifier could not judge."""
        return None if self.reward is None else self.reward == 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The value that one reward component gave a rollout; None where it could not judge.

    `note` is the component's own remark, or the reason why there is no value.
    """

    value: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """A completion with its text and its judgement. `index` counts a group's rollouts from 0.

    `verdict` is None where no verifier was asked. `scores` are those of the recipe's `[[reward]]`
    components by name, and `total` is what they come to; None where the recipe has none.
    `thought_is_open`: a thought was begun and not ended. `runs_on`: the text has a whole box behind
    its thought, and was cut off by the limit nevertheless.
    """

    id: str
    index: int
    completion: Completion
    text: str
    verdict: Verdict | None
    thought_is_open: bool = False
    runs_on: bool = False
    scores: Mapping[str, Score] | None = None
    total: float | None = None

    @property
    def reward(self) -> float | None:
        """Return the reward that a group compares; None for a rollout that could not be judged."""
        if self.scores is not None:
            return self.total
        return None if self.verdict is None else self.verdict.reward

    @property
    def is_right(self) -> bool | None:
        """Return whether the verifier calls the answer right; None where it did not judge."""
        return None if self.verdict is None else self.verdict.is_right


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """The rollouts of one problem."""

    problem: Problem
    prompt: Tokens
    rollouts: tuple[Rollout, ...]

    @property
    def rewards(self) -> list[float]:
        """Return the rewards of the rollouts that could be judged, in order."""
        rewards = (rollout.reward for rollout in self.rollouts)
        return [reward for reward in rewards if reward is not None]

    @property
    def share_right(self) -> float | None:
        """Return the share of right answers among those that the verifier judged, None of none."""
        judged = [rollout.is_right for rollout in self.rollouts if rollout.is_right is not None]
        return sum(judged) / len(judged) if judged else None
