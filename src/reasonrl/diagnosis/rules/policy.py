"""The policy itself: broken by an update, without entropy, with too much of it."""

from __future__ import annotations

from math import isfinite

from reasonrl.algo.choices import EntropyMode
from reasonrl.diagnosis.collapse import COLLAPSED, is_collapsed, is_falling
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History, key_of
from reasonrl.diagnosis.rules.spans import LOST, ROW, SLOW_ROW

_BROKEN = 0.25
"""What is left of the best reward when a policy counts as broken."""

_LEARNED = 0.1
"""The reward that a policy must have had, so that losing it means something."""

_MOST = 0.5
"""The share of truncated rollouts that explains a lost reward by itself."""

_LINE, _GAINED = 20, 0.02
"""Steps over which accuracy is looked at before a collapse is announced, and a gain that counts."""

_GROWN = 1.8
"""How many times its start an entropy has when the entropy term is too strong."""

_SURE = 4.0
"""Standard errors by which a mean must have fallen."""

_EARNED = 1 / 3
"""The share of the wrong answers that became right which is worth an entropy."""

_SOLVED = 0.8
"""The reward above which a low entropy is what success looks like."""

_TARGETED = (EntropyMode.REPORT, EntropyMode.RELEASE)
_HELD = 0.5
"""The share of its target at which an entropy still counts as held."""


def policy_broken(history: History) -> RunFinding | None:
    """Find a policy that lost at once what it could: a quarter of its best reward is left.

    What counts is the accuracy where a verifier judges; the best is a mean of three steps. A loss
    that comes step by step, with an entropy that grows or with a lower limit, has another cause.
    """
    # A reward that is not the verdict may jump for reasons of its own.
    key = history.success
    # The last steps are those that have lost it.
    best = history.best_mean(key, ROW, before=ROW)
    since = history.since(
        key, sign=lambda share: share is not None and share <= _BROKEN * best, n=ROW
    )
    if best < _LEARNED or since is None or _has_another_cause(history, key, best):
        return None
    rate = history.stage().update.learning_rate
    norms = history.last("update/gradient_norm", history.n)
    now = history.last(key, 1)[0]
    return RunFinding(
        rule="policy-broken",
        since_step=since,
        message="the policy lost what it could: "
        f"{key.partition('/')[0]} fell from {best:.2f} to {now:.2f}",
        cause="one update moved the policy too far: the learning rate is too high"
        + (" for so many updates a step" if _updates(history) > 1 else ""),
        key=key_of(history, "update.learning_rate"),
        value=f"{rate / 10:g}",
        evidence={
            "best": best,
            "now": now,
            "learning rate": rate,
            "updates a step": _updates(history),
            "largest gradient norm": max(norms, default=0.0),
        },
        rollouts=since,
        is_grave=True,
    )


def _has_another_cause(history: History, key: str, best: float) -> bool:
    """Return whether it was lost to a lower limit, a grown entropy, another reward, or slowly."""
    begun = history.stage_start
    has_lower_limit = begun > 0 and (
        history.stage().rollout.max_new_tokens < history.stage(begun - 1).rollout.max_new_tokens
    )
    if has_lower_limit and (history.mean("rollout/truncated_share", ROW) or 0.0) > _MOST:
        return True
    nats, start = history.mean("entropy/nats", ROW), history.start("entropy/nats", ROW)
    if nats and start and nats > _GROWN * start and any(history.last("entropy/alpha", ROW)):
        return True
    total, first = history.mean("reward/mean", ROW), history.start("reward/mean", ROW)
    if history.recipe.reward and total is not None and first is not None and total > first:
        return True  # a component was learned in place of right answers
    rewards = history.series(key)
    return not any(
        before is not None and after is not None and before > 0.5 * best and after <= _BROKEN * best
        for before, after in zip(rewards, rewards[ROW:], strict=False)
    )


def accuracy_falls(history: History) -> RunFinding | None:
    """Find an accuracy that is lost step by step inside a stage, whatever the cause."""
    key = history.success
    level = history.level(key, SLOW_ROW)
    if level is None:
        return None
    best, now, error = level.best, level.now, history.error(key, SLOW_ROW)
    if best < _LEARNED or now > LOST * best or best - now < _SURE * error:
        return None
    since = history.since(key, sign=lambda share: share is None or share < best)
    update = history.stage().update
    return RunFinding(
        rule="accuracy-falls",
        since_step=since or history.step(-SLOW_ROW),
        message=f"{key.partition('/')[0]} falls step by step, from {best:.2f} to {now:.2f}",
        cause="the updates unlearn: the rate may be too high, the keys wrong, or the reward may "
        "pay for something else",
        key=key_of(history, "update.learning_rate"),
        value=f"{update.learning_rate / 3:g}",
        evidence={"best": best, "now": now, "noise of a mean": error},
        rollouts=history.step(-1),
        is_grave=True,
    )


def entropy_collapse(history: History) -> RunFinding | None:
    """Find a collapse of the entropy, when it has happened or is near."""
    entropies = history.last("entropy/nats", history.n)
    has_happened = is_collapsed(entropies)
    if not entropies or not (has_happened or is_falling(entropies)):
        return None
    if (history.mean(history.success, ROW) or 0.0) > _SOLVED:
        return None  # a policy that is right nearly always has little to be uncertain about
    if _is_earned(history) or (not has_happened and _has_risen(history, history.success)):
        return None  # entropy is spent on right answers
    control = history.stage().entropy
    if control.mode in _TARGETED and entropies[-1] >= _HELD * control.target_nats:
        return None  # the controller holds it where the recipe wants it
    start = max(entropies[0], 1e-12)
    bound = COLLAPSED * start

    def is_low(nats: float | None) -> bool:
        return nats is None or nats <= bound

    off = _updates(history) > 1
    if off:
        key, value = "update.reuse", "1"
    elif control.mode in (EntropyMode.NONE, EntropyMode.FIXED):
        key, value = "entropy.mode", "release"
    elif isfinite(control.maximum):
        key, value = "entropy.maximum", f"{5 * control.maximum:g}"
    else:
        key, value = "entropy.delta", f"{5 * control.delta:g}"
    return RunFinding(
        rule="entropy-collapse" if has_happened else "entropy-falls",
        since_step=(history.since("entropy/nats", sign=is_low) if has_happened else None)
        or history.step(-1),
        message=f"entropy is {entropies[-1]:.3g} nats, {entropies[-1] / start:.0%} of its start: "
        + ("rollouts of a problem hardly differ" if has_happened else "a collapse is near"),
        cause=f"{_updates(history)} updates a step use entropy up"
        if off
        else "the policy term sharpens what the policy does already, and nothing holds against it",
        key=key_of(history, key),
        value=value,
        evidence={"entropy at the start": start, "entropy": entropies[-1]},
        rollouts=history.step(-1),
        is_grave=has_happened,
    )


def _has_risen(history: History, key: str) -> bool:
    """Return whether a share of right answers has risen over the steps of the warning's line."""
    values = history.last(key, _LINE)
    half = len(values) // 2
    return half > 0 and sum(values[-half:]) > sum(values[:half]) + _GAINED * half


def _is_earned(history: History) -> bool:
    """Return whether so many wrong answers have become right that entropy had to fall."""
    before, now = history.start(history.success, ROW), history.mean(history.success, SLOW_ROW)
    return before is not None and now is not None and now - before > _EARNED * (1 - before)


def entropy_explosion(history: History) -> RunFinding | None:
    """Find an entropy that grows far above its start while the entropy term is on."""
    entropies = history.last("entropy/nats", history.n)
    alphas = history.last("entropy/alpha", ROW)
    if len(entropies) < 2 * ROW or not any(alphas):
        return None
    start = sum(entropies[:ROW]) / ROW
    bound = max(_GROWN * start, start + 0.15)
    since = history.since(
        "entropy/nats", sign=lambda nats: nats is not None and nats > bound, n=ROW
    )
    if since is None:
        return None
    return RunFinding(
        rule="entropy-explosion",
        since_step=since,
        message=f"entropy grew from {start:.2f} to {entropies[-1]:.2f} nats: the text falls apart",
        cause=f"the entropy term, at {max(alphas):.3g}, is stronger than the reward",
        key=key_of(history, "entropy.maximum"),
        value=f"{max(alphas) / 10:g}",
        evidence={"entropy at the start": start, "entropy": entropies[-1], "alpha": max(alphas)},
        rollouts=history.step(-1),
        is_grave=True,
    )


def gradient_spike(history: History) -> RunFinding | None:
    """Find a gradient that is many times the usual one, in the last step."""
    norms = history.last("update/gradient_norm", 1)
    usual = history.usual("update/gradient_norm", before=1)
    if not norms or not usual or history.n < 2 * ROW or norms[0] <= 10 * usual:
        return None
    norm = norms[0]
    return RunFinding(
        rule="gradient-spike",
        since_step=history.step(-1),
        message=f"the gradient norm is {norm:.3g}, {norm / usual:.0f} times the usual {usual:.3g}",
        cause="a few tokens that the policy thinks nearly impossible; clipping bounds the step",
        key="optimizer.max_gradient_norm",
        value=f"{2 * usual:.2g}",
        evidence={"gradient norm": norm, "usual gradient norm": usual},
        rollouts=history.step(-1),
    )


def _updates(history: History) -> int:
    update = history.stage().update
    return update.minibatches * update.reuse
