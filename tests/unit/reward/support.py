"""Records of rollouts for tests of rewards."""

from __future__ import annotations

from reasonrl.reward import ProblemRecord, RolloutRecord
from reasonrl.reward.record import split_thought
from reasonrl.types import Message, Status, Verdict


def record(
    response: str = "",
    *,
    tokens: int = 10,
    limit: int = 100,
    right: bool | None = None,
    stop: str = "stop",
    key: str = "2",
    opens_thought: bool = False,
    **extra: object,
) -> RolloutRecord:
    """Return a record; `right` None is a rollout that no verifier judged."""
    verdict = None
    if right is not None:
        verdict = Verdict(reward=float(right), status=Status.CORRECT if right else Status.WRONG)
    thought, answer = split_thought(response, opens_thought=opens_thought)
    return RolloutRecord(
        problem=ProblemRecord(id="p", kind="math", answer=key, extra=extra),
        prompt=(Message(role="user", content="1 + 1?"),),
        response=response,
        thought=thought,
        answer=answer,
        tokens=tokens,
        max_new_tokens=limit,
        stop=stop,
        opens_thought=opens_thought,
        verdict=verdict,
    )
