"""What a step has to learn from: rollouts that end, groups that differ."""

from __future__ import annotations

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History, key_of
from reasonrl.diagnosis.rules.components import heaviest, silent_verifier
from reasonrl.diagnosis.rules.spans import ANSWERED, LONG_ROW, ROW

_MOST = 0.8
"""The share above which nearly all is meant."""

_FEW = 1.5
"""Groups with a signal, in the mean, whose noise is the gradient."""

_UNREAD = 0.45
"""The share of rollouts without a readable answer that explains why none is right."""


def truncated(history: History) -> RunFinding | None:
    """Find a limit that nearly all rollouts reach."""
    since = history.since(
        "rollout/truncated_share", sign=lambda share: (share or 0.0) > _MOST, n=LONG_ROW
    )
    if since is None or (history.mean("rollout/run_on_share", ROW) or 0.0) > ANSWERED:
        return None
    limit = history.stage().rollout.max_new_tokens
    share = history.mean("rollout/truncated_share", ROW) or 0.0
    return RunFinding(
        rule="truncated",
        since_step=since,
        message=f"{share:.0%} of the rollouts are cut off at {limit} tokens",
        cause="the model needs more room to finish, or never writes its end-of-sequence token",
        key=key_of(history, "rollout.max_new_tokens"),
        value=str(2 * limit),
        evidence={"truncated share": share, "limit": limit},
        rollouts=history.step(-1),
    )


def no_signal(history: History) -> RunFinding | None:
    """Find steps in which no group had a signal: all solved, none solved, or none judged."""
    since = history.since("groups/kept", sign=lambda kept: not kept, n=LONG_ROW)
    if since is None:
        return None
    solved = history.mean("groups/solved", ROW) or 0.0
    unsolved = history.mean("groups/unsolved", ROW) or 0.0
    flat = history.mean("groups/flat", ROW) or 0.0
    evidence = {"groups solved": solved, "groups unsolved": unsolved}
    if flat > max(solved, unsolved):
        return _flat(history, since, evidence | {"groups flat": flat})
    if solved > unsolved:
        return RunFinding(
            rule="all-solved",
            since_step=since,
            message="the model solves every problem every time, so no group has a signal",
            cause="the problems are too easy for this model",
            key=key_of(history, "drop_solved"),
            value="true",
            evidence=evidence,
            rollouts=history.step(-1),
            is_grave=True,
        )
    unread = _unread_share(history)
    evidence["answers not in a box"] = unread
    if unread > _UNREAD:
        return RunFinding(
            rule="no-answer-read",
            since_step=since,
            message=f"{unread:.0%} of the rollouts have no answer that the verifier reads",
            cause="the model was not asked for a box, or never learned to write one",
            key="verify.unboxed",
            value="true",
            evidence=evidence,
            rollouts=history.step(-1),
            is_grave=True,
        )
    return RunFinding(
        rule="none-solved",
        since_step=since,
        message="the model solves no problem, so no group has a signal",
        cause="the problems are too hard for this model, or their keys are wrong",
        key=key_of(history, "rollout.group_size"),
        value=str(2 * history.stage().rollout.group_size),
        evidence=evidence,
        rollouts=history.step(-1),
        is_grave=True,
    )


def _flat(history: History, since: int, evidence: dict[str, float]) -> RunFinding:
    """Return the finding of groups whose rollouts all have the same reward, right or wrong."""
    right, silent = history.mean("accuracy/all", ROW), silent_verifier(history.recipe)
    update, other = history.stage().update, heaviest(history.recipe)
    if update.has_own_advantage:
        cause = f"the function {update.advantage} gives every rollout the same"
    elif other is None:
        cause = "masks, or partial credit, leave no difference"
    else:
        cause = (
            f"the component {other[1]} gives every rollout the same value: it may look for what "
            "the model does not write, or at the problem alone"
        )
    return RunFinding(
        rule="reward-flat",
        since_step=since,
        message="all rollouts of a group have the same reward, so no group has a signal"
        + (f", though {right:.0%} of the answers are right" if right else ""),
        cause=cause,
        key=silent,
        value="1" if silent else "",
        evidence=evidence,
        rollouts=history.step(-1),
        is_grave=True,
    )


def few_groups(history: History) -> RunFinding | None:
    """Find gradients that come from one group or two."""
    kept, size = history.mean("groups/kept", LONG_ROW), history.stage().rollout.prompts_per_step
    taken = history.n - history.stage_start
    if not kept or kept > _FEW or size < 4 * _FEW or taken < LONG_ROW:
        return None
    is_solved = (history.mean("groups/solved", LONG_ROW) or 0.0) > size / 2
    is_cut_off = (history.mean("rollout/truncated_share", LONG_ROW) or 0.0) > _MOST
    if is_solved or is_cut_off:
        return None  # there are other rules for a stage that is done, and for a low limit
    return RunFinding(
        rule="few-groups",
        since_step=history.step(-LONG_ROW),
        message=f"{kept:.1f} groups of {size} have a signal: their noise is the gradient",
        cause="nearly all problems are too easy or too hard for the model",
        key=key_of(history, "rollout.prompts_per_step"),
        value=str(4 * size),
        evidence={"groups kept": kept, "groups": size},
        rollouts=history.step(-1),
    )


def _unread_share(history: History) -> float:
    """Return the share of the last steps' rollouts in which the verifier found no answer."""
    unread = (history.mean(f"verify/status/{status}", ROW) for status in ("NO_ANSWER", "NO_CODE"))
    sampled = history.mean("rollout/sampled", ROW) or 1.0
    return sum(value or 0.0 for value in unread) / sampled
