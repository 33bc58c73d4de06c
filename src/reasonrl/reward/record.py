"""What a reward component gets of a rollout, and the same as JSON on its way to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from reasonrl.types import Message, Status, StopReason, Verdict
from reasonrl.verify.extract import THINK_CLOSE, THINK_OPEN, answer_part


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRecord:
    """The problem of a rollout. `extra` holds the columns of its row that nobody named."""

    id: str
    kind: str
    answer: str
    source: str = ""
    difficulty: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRecord:
    """One finished rollout, frozen: what a reward function may look at.

    `response` is the whole text of the completion. `thought` is the text of its thought, None
    without one; `answer` is the text behind the thought, empty while the thought is still open.
    `opens_thought` says that the prompt has opened the thought already.
    `tokens` is the completion's length, of at most `max_new_tokens`. `stop` is "stop" or "length".
    `verdict` is the verifier's, None where no verifier was asked.
    """

    problem: ProblemRecord
    prompt: tuple[Message, ...]
    response: str
    thought: str | None
    answer: str
    tokens: int
    max_new_tokens: int
    stop: str
    opens_thought: bool = False
    verdict: Verdict | None = None

    @property
    def is_truncated(self) -> bool:
        """Return whether the token limit cut the response off."""
        return self.stop == StopReason.LENGTH

    @property
    def is_right(self) -> bool | None:
        """Return whether the verifier calls the answer right; None where it did not judge."""
        return None if self.verdict is None else self.verdict.is_right


def split_thought(response: str, *, opens_thought: bool) -> tuple[str | None, str]:
    """Return the thought of a response, None without one, and the answer behind it.

    `opens_thought` says that the prompt has opened it. The last `</think>` counts, as it does for
    the verifier; a thought that is still open has no answer behind it.
    """
    answer = answer_part(response, opens_thought=opens_thought) or ""
    opened, closed = response.find(THINK_OPEN), response.rfind(THINK_CLOSE)
    if closed < 0 and opens_thought:
        return response, answer
    if closed < 0 and opened < 0:
        return None, answer
    end = len(response) if closed < 0 else closed
    start = opened + len(THINK_OPEN) if 0 <= opened < end else 0
    return response[start:end], answer


def to_json(record: RolloutRecord) -> dict[str, Any]:
    """Return a record as values that JSON has."""
    values = asdict(record)
    if record.verdict is not None:
        values["verdict"]["status"] = str(record.verdict.status)
        values["verdict"]["tests"] = [str(status) for status in record.verdict.tests]
    return values


def from_json(values: Mapping[str, Any]) -> RolloutRecord:
    """Return the record of JSON values; its mappings cannot be written to."""
    problem, verdict = dict(values["problem"]), values["verdict"]
    for name in ("difficulty", "extra"):
        problem[name] = MappingProxyType(problem[name])
    return RolloutRecord(
        **{
            **values,
            "problem": ProblemRecord(**problem),
            "prompt": tuple(Message(**turn) for turn in values["prompt"]),
            "verdict": None if verdict is None else _verdict(verdict),
        }
    )


def _verdict(values: Mapping[str, Any]) -> Verdict:
    tests = tuple(Status(status) for status in values["tests"])
    return Verdict(**{**values, "status": Status(values["status"]), "tests": tests})
