"""The arms that the report does not have: later remedies, our controller, and long runs. Data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reasonrl.studies.arm import ArmWriter, Changes, adaptive, n_sgd
from reasonrl.studies.scales import Scale

REMEDIES: Sequence[str] = (
    *("clip-cov", "kl-cov", "high-entropy"),
    *("cispo", "truncated-is", "gspo", "dr-grpo"),
)


UPDATES_AT_HOME: Mapping[str, int] = {name: 1 if name == "dr-grpo" else 4 for name in REMEDIES}
"""Minibatches, used once, about which a remedy was published: Dr. GRPO (Liu et al., 2025) has one
update a step, and the others have several."""


def home_of(remedy: str, scale: Scale) -> str:
    """Return the arm that has a remedy at its own number of updates."""
    updates = UPDATES_AT_HOME[remedy]
    return remedy if scale.clipped == (updates, 1) else f"{remedy}-{updates}"


def add_remedies(write: ArmWriter) -> None:
    """Add the remedies published after the report, and our controller.

    Each remedy is there twice: on updates that clip, and at the updates that it was made for.
    """
    scale = write.scale
    clip_cov = {"type": "clip-cov", "share": scale.clip_cov_share}
    kl_cov = {"type": "kl-cov", "share": scale.kl_cov_share}
    whole = {"update.surrogate": "cispo", "update.clip_low": 1.0}
    what: Mapping[str, tuple[str, Changes]] = {
        "clip-cov": ("tokens of high covariance left out", {"update.focus": clip_cov}),
        "kl-cov": ("tokens of high covariance held back", {"update.focus": kl_cov}),
        "high-entropy": ("a fifth of the tokens", {"update.focus": {"type": "high-entropy"}}),
        "cispo": ("ratios up to 1.2 as weights", whole),
        "truncated-is": ("ratios up to 2 as weights", {**whole, "update.clip_high": 1.0}),
        "gspo": (
            "one ratio a rollout",
            {"update.surrogate": "gspo", "update.clip_low": 3e-4, "update.clip_high": 4e-4},
        ),
        "dr-grpo": (
            "advantages unscaled, divided by the limit",
            {"update.scale_advantages": False, "update.average": "limit"},
        ),
    }
    for name in REMEDIES:
        text, changes = what[name]
        write.add(name, text, n_sgd(*scale.clipped), changes)
        if (home := home_of(name, scale)) != name:
            updates = UPDATES_AT_HOME[name]
            write.add(home, f"{text}; {updates} updates a step", n_sgd(updates), changes)
    start, minimum, maximum = scale.relative
    relative = {
        "entropy.mode": "relative",
        "entropy.initial": start,
        "entropy.minimum": minimum,
        "entropy.maximum": maximum,
    }
    write.add("relative-4", "our controller, four minibatches", n_sgd(4), relative)
    write.add("relative-2", "our controller, two minibatches", n_sgd(2), relative)


def add_long(write: ArmWriter) -> None:
    """Add the arms of Experiments 4 to 6, 9 and 10 with the steps of the horizon."""
    scale = write.scale
    steps, half = scale.horizon, scale.horizon // 2
    plain = (n_sgd(2), adaptive(scale))
    write.add("on-policy-long", f"on-policy, {steps} steps", steps=steps)
    write.add("minibatches-4-long", f"four minibatches, {steps} steps", n_sgd(4), steps=steps)
    write.add(
        "adaptive-4-long",
        f"adaptive control, four minibatches, {steps} steps",
        n_sgd(4),
        adaptive(scale),
        steps=steps,
    )
    write.add("control-2-long", f"temperature 1, {steps} steps", *plain, steps=steps, is_cool=True)
    cooler = {"rollout.temperature": 0.6}
    write.add(
        "temperature-0.6-long", f"sampled at 0.6, {steps} steps", *plain, cooler, steps=steps,
        is_cool=True,
    )  # fmt: skip
    short, held = {"rollout.max_new_tokens": scale.first_limit}, scale.kl
    for name, then in (("kl-kept-long", held), ("kl-dropped-long", 0.0)):
        first = {"steps": half, **short, "update.kl_coefficient": held}
        second = {"steps": steps - half, "update.kl_coefficient": then}
        write.add(
            name,
            f"penalty {held:g} for {half} steps, then {then:g}",
            *plain,
            stages=(first, second),
        )
    for bound in (0.2, 0.265):
        write.add(
            f"clip-{bound:g}-long",
            f"updates that clip, upper bound {bound:g}, {scale.clipped_horizon} steps",
            n_sgd(*scale.clipped),
            {"update.clip_high": bound},
            steps=scale.clipped_horizon,
        )
