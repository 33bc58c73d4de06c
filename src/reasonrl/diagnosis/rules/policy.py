"""The policy itself: broken by an update, without entropy, with too much of it."""

from __future__ import annotations

from reasonrl.algo.choices import EntropyMode
from reasonrl.diagnosis.collapse import COLLAPSED, is_collapsed, is_falling
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History, key_of
from reasonrl.diagnosis.rules.spans import ROW

_BROKEN = 0.25
"""What is left of the best reward when a policy counts as broken."""

_LEARNED = 0.1
"""The reward that a policy must have had, so that losing it means something."""

_SOLVED = 0.8
"""The reward above which a low entropy is what success looks like."""

_TARGETED = (EntropyMode.REPORT, EntropyMode.RELEASE)
_HELD = 0.5
"""The share of its target at which an entropy still counts as held."""


def policy_broken(history: History) -> RunFinding | None:
    """Find a policy that lost what it could: reward fell to a quarter of its best and stays."""
    rewards = [value or 0.0 for value in history.series("reward/mean")]
    if history.n < ROW + 1:
        return None
    best = max(rewards[:-ROW], default=0.0)
    signs = [reward <= _BROKEN * best for reward in rewards]
    since = history.since(signs, n=ROW)
    if best < _LEARNED or since is None:
        return None
    rate = history.stage().update.learning_rate
    norms = history.last("update/gradient_norm", history.n)
    return RunFinding(
        rule="policy-broken",
        since_step=since,
        message=f"the policy lost what it could: reward fell from {best:.2f} to {rewards[-1]:.2f}",
        cause="one update moved the policy too far: the learning rate is too high"
        + (" for so many updates a step" if _updates(history) > 1 else ""),
        key=key_of(history, "update.learning_rate"),
        value=f"{rate / 10:g}",
        evidence={
            "best reward": best,
            "reward": rewards[-1],
            "learning rate": rate,
            "updates a step": _updates(history),
            "largest gradient norm": max(norms, default=0.0),
        },
        rollouts=since,
        is_grave=True,
    )


def entropy_collapse(history: History) -> RunFinding | None:
    """Find a collapse of the entropy, when it has happened or is near."""
    entropies = history.last("entropy/nats", history.n)
    has_happened = is_collapsed(entropies)
    if not entropies or not (has_happened or is_falling(entropies)):
        return None
    if (history.mean("reward/mean", ROW) or 0.0) > _SOLVED:
        return None  # a policy that is right nearly always has little to be uncertain about
    control = history.stage().entropy
    if control.mode in _TARGETED and entropies[-1] >= _HELD * control.target_nats:
        return None  # the controller holds it where the recipe wants it
    start = max(entropies[0], 1e-12)
    bound = COLLAPSED * start
    signs = [value is None or value <= bound for value in history.series("entropy/nats")]
    off = _updates(history) > 1
    if off:
        key, value = "update.reuse", "1"
    elif control.mode in (EntropyMode.NONE, EntropyMode.FIXED):
        key, value = "entropy.mode", "release"
    else:
        key, value = "update.clip_high", "0.28"
    return RunFinding(
        rule="entropy-collapse" if has_happened else "entropy-falls",
        since_step=(history.since(signs) if has_happened else None) or history.step(-1),
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


def entropy_explosion(history: History) -> RunFinding | None:
    """Find an entropy that grows far above its start while the entropy term is on."""
    entropies = history.last("entropy/nats", history.n)
    alphas = history.last("entropy/alpha", ROW)
    if len(entropies) < 2 * ROW or not any(alphas):
        return None
    start = max(entropies[:ROW])
    signs = [
        value is not None and value > 2 * start + 0.5 for value in history.series("entropy/nats")
    ]
    since = history.since(signs, n=ROW)
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
