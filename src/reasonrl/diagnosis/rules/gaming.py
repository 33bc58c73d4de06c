"""Rewards that are won without better answers: lengths, one answer to everything, other hacks."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History, key_of
from reasonrl.diagnosis.rules.components import heaviest, silent_verifier
from reasonrl.diagnosis.rules.spans import LOST, ROW, SLOW_ROW

_LONGER, _SHORTER = 1.3, 0.65
"""The changes of the mean length, against the stage's start, that count as gamed."""

_ABLE = 0.05
"""The accuracy that a policy must have had, so that losing it means something."""

_SAME = 0.5
"""The share of rollouts with one and the same text that no healthy step has."""

_UNRELATED = 0.5
"""The mean distance of advantages below which a reward is about other things than right answers."""

_GAIN = 0.1
"""What a total reward must have gained, so that accuracy falls beside a success."""


def length_gamed(history: History) -> RunFinding | None:
    """Find lengths that grow or shrink while accuracy falls, in a stage with one limit."""
    begun = history.stage_start
    length = history.start("rollout/mean_tokens", ROW, after=begun)
    accuracy = history.start("accuracy/all", ROW, after=begun)
    if not length or not accuracy or accuracy < _ABLE or history.n - begun < 2 * ROW:
        return None
    for rule, grows in (("length-grows", True), ("length-shrinks", False)):
        sign = partial(
            _is_gamed,
            grows=grows,
            bound=(_LONGER if grows else _SHORTER) * length,
            least=LOST * accuracy,
        )
        since = history.since("rollout/mean_tokens", "accuracy/all", sign=sign, n=ROW)
        if since is not None and not (_fell_at_once(history) or _has_heated(history)):
            return _length_finding(history, rule, since, length, accuracy)
    return None


def _is_gamed(
    now: float | None, right: float | None, *, grows: bool, bound: float, least: float
) -> bool:
    """Return whether a step's length is beyond a bound while its accuracy is below the least."""
    is_beyond = now is not None and (now > bound) is grows
    return is_beyond and right is not None and right < least


def _fell_at_once(history: History) -> bool:
    """Return whether accuracy was lost within a step, as by one update or a new limit."""
    rights = history.last("accuracy/all", history.n - history.stage_start)
    pairs = pairwise(rights)
    return any(after < 0.3 * before for before, after in pairs if before > 2 * _ABLE)


def _has_heated(history: History) -> bool:
    """Return whether the entropy term has raised the entropy, so that texts fall apart."""
    nats, start = history.mean("entropy/nats", ROW), history.start("entropy/nats", ROW)
    return bool(nats and start and nats > 1.4 * start and any(history.last("entropy/alpha", ROW)))


def _length_finding(
    history: History, rule: str, since: int, length: float, accuracy: float
) -> RunFinding:
    now = history.mean("rollout/mean_tokens", ROW) or 0.0
    right = history.mean("accuracy/all", ROW) or 0.0
    grows = rule == "length-grows"
    key, value = _length_cure(history, grows=grows)
    return RunFinding(
        rule=rule,
        since_step=since,
        message=f"responses {'grow' if grows else 'shrink'} from {length:.0f} to {now:.0f} tokens "
        f"while accuracy falls from {accuracy:.2f} to {right:.2f}",
        cause="the reward pays for length"
        if history.recipe.reward
        else "length changes the loss more than answers do",
        key=key,
        value=value,
        evidence={
            "tokens at the start": length,
            "tokens": now,
            "accuracy at the start": accuracy,
            "accuracy": right,
        },
        rollouts=history.step(-1),
        is_grave=True,
    )


def _length_cure(history: History, *, grows: bool) -> tuple[str, str]:
    """Return a quarter of the weight of the component that rose most; else what bounds lengths."""
    if component := _risen_component(history):
        number, weight = component
        return f"reward.{number}.weight", f"{weight / 4:g}"
    if grows:
        return key_of(history, "update.average"), "limit"
    return key_of(history, "update.learning_rate"), f"{history.stage().update.learning_rate / 3:g}"


def _risen_component(history: History) -> tuple[int, float] | None:
    """Return number and weight of the component, beside the verifier, with the largest gain."""
    gains = []
    for number, component in enumerate(history.recipe.reward, start=1):
        if component.type == "verifier" or not component.weight:
            continue
        key = f"reward/{component.label}/mean"
        first, last = history.start(key, ROW), history.mean(key, ROW)
        if first is not None and last is not None:
            gains.append(((last - first) * component.weight, number, component.weight))
    return max(gains)[1:] if gains and max(gains)[0] > 0 else None


def reward_hacked(history: History) -> RunFinding | None:
    """Find a total reward that rises while the verifier's accuracy falls."""
    component = _risen_component(history)
    reward, accuracy = history.start("reward/mean", ROW), history.start("accuracy/all", ROW)
    if component is None or reward is None or not accuracy or accuracy < _ABLE:
        return None
    sign = partial(
        _is_gamed,
        grows=True,
        bound=reward + max(_GAIN, 0.2 * abs(reward)),
        least=LOST * accuracy,
    )
    since = history.since("reward/mean", "accuracy/all", sign=sign, n=ROW)
    if since is None:
        return None
    number, weight = component
    label = history.recipe.reward[number - 1].label
    now, right = history.mean("reward/mean", ROW) or 0.0, history.mean("accuracy/all", ROW) or 0.0
    return RunFinding(
        rule="reward-hacked",
        since_step=since,
        message=f"reward rises from {reward:.2f} to {now:.2f} while accuracy falls from "
        f"{accuracy:.2f} to {right:.2f}",
        cause=f"the component {label} is easier to win than right answers",
        key=f"reward.{number}.weight",
        value=f"{weight / 4:g}",
        evidence={
            "reward at the start": reward,
            "reward": now,
            "accuracy at the start": accuracy,
            "accuracy": right,
        },
        rollouts=history.step(-1),
        is_grave=True,
    )


def wrong_rewarded(history: History) -> RunFinding | None:
    """Find advantages that are lower for right answers than for wrong ones, or hardly higher."""
    key, begun = "advantage/right_minus_wrong", history.stage_start
    since = history.since(key, sign=lambda apart: apart is not None and apart < 0, n=ROW)
    apart = history.mean(key, ROW)
    message = "right answers have lower advantages than wrong ones of the same group"
    if since is None:
        apart = history.mean(key, SLOW_ROW)
        known = history.last(key, min(SLOW_ROW, history.n - begun))
        if apart is None or len(known) < SLOW_ROW or not _is_unrelated(history, apart):
            return None
        since = history.step(-SLOW_ROW)
        message = "right answers have hardly higher advantages than wrong ones of the same group"
    cause, cure_key, value = _payer(history)
    return RunFinding(
        rule="wrong-rewarded",
        since_step=since,
        message=f"{message} ({apart or 0.0:.2g} apart, 2 or more is usual)",
        cause=cause,
        key=cure_key,
        value=value,
        evidence={"advantage of right minus wrong": apart or 0.0},
        rollouts=history.step(-1),
        is_grave=True,
    )


def _is_unrelated(history: History, apart: float) -> bool:
    """Return whether a distance is far below 2, the least that rewards of 0 and 1 can make.

    Other advantages than those of the report have another scale.
    """
    update = history.stage().update
    return update.advantage == "group" and update.scale_advantages and apart < _UNRELATED


def _payer(history: History) -> tuple[str, str, str]:
    """Return what pays for other things than right answers, and the key and value of a cure."""
    update, other = history.stage().update, heaviest(history.recipe)
    if update.has_own_advantage:
        cause = f"the function {update.advantage} turns rewards around"
        return cause, key_of(history, "update.advantage"), "group"
    if other is None:
        return "the reward is lower for right answers", "", ""
    number, label, weight = other
    if silent := silent_verifier(history.recipe):
        cause = (
            f"the component {label} decides, and it disagrees with the verdict: look whether each "
            "of its values belongs to its rollout"
        )
        return cause, silent, "1"
    return (
        f"the component {label} outweighs the verdict",
        f"reward.{number}.weight",
        f"{weight / 4:g}",
    )


def one_answer(history: History) -> RunFinding | None:
    """Find a policy that gives most problems the same text."""
    since = history.since("rollout/same_share", sign=lambda share: (share or 0.0) > _SAME, n=ROW)
    if since is None or history.stage().rollout.prompts_per_step < 4 * ROW:
        return None
    share = history.mean("rollout/same_share", ROW) or 0.0
    return RunFinding(
        rule="one-answer",
        since_step=since,
        message=f"{share:.0%} of the rollouts of a step are the same text, whatever the problem",
        cause="one answer is right often enough, and nothing holds the entropy up",
        key=key_of(history, "update.learning_rate"),
        value=f"{history.stage().update.learning_rate / 4:g}",
        evidence={
            "share of the commonest text": share,
            "accuracy": history.mean("accuracy/all", ROW) or 0.0,
        },
        rollouts=history.step(-1),
        is_grave=True,
    )
