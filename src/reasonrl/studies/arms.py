"""Every arm of every study, as changes to a base recipe. Data.

An arm that several studies name is run once. The arms of section 3 of the report take two updates a
step under adaptive entropy control. The arms of section 4 have no entropy control, except where the
study is about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reasonrl.studies.scales import Scale

Changes = Mapping[str, object]
"""Dotted keys of a recipe and their values."""

TRAIN, EASY, NOISY = "train", "easy", "noisy"
"""Problem files that only the lab has; `bases` knows their paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """An arm: its changes to the base recipe, its stages, each with its steps, and its data.

    `is_cool` says that it is also evaluated at temperature 0.6.
    """

    name: str
    what: str
    changes: Changes
    stages: tuple[Changes, ...]
    data: tuple[str, ...] = (TRAIN,)
    is_cool: bool = False


@dataclass(frozen=True, slots=True)
class _Writer:
    """A collector of the arms of one scale."""

    scale: Scale
    arms: dict[str, Arm] = field(default_factory=dict)

    def add(
        self,
        name: str,
        what: str,
        *changes: Changes,
        steps: int | None = None,
        stages: tuple[Changes, ...] = (),
        data: tuple[str, ...] = (TRAIN,),
        is_cool: bool = False,
    ) -> None:
        merged = {key: value for part in changes for key, value in part.items()}
        self.arms[name] = Arm(
            name=name,
            what=what,
            changes=merged,
            stages=stages or ({"steps": steps or self.scale.steps},),
            data=data,
            is_cool=is_cool,
        )


def arms_of(scale: Scale) -> dict[str, Arm]:
    """Return every arm, by name."""
    write = _Writer(scale)
    _updates(write)
    _batches(write)
    _entropy(write)
    _first_sections(write)
    _remedies(write)
    return write.arms


def _n_sgd(minibatches: int, reuse: int = 1) -> Changes:
    return {"update.minibatches": minibatches, "update.reuse": reuse}


def _adaptive(scale: Scale) -> Changes:
    return {
        "entropy.mode": "report",
        "entropy.target_nats": scale.target_nats,
        "entropy.delta": scale.delta,
        "entropy.maximum": scale.maximum,
    }


def _fixed(coefficient: float) -> Changes:
    return {"entropy.mode": "fixed", "entropy.initial": coefficient}


def _updates(write: _Writer) -> None:
    """Add the arms of Experiments 6, 7 and Figure 18: updates a step, and the data they use."""
    n, steps = write.scale.prompts, write.scale.steps
    write.add("on-policy", f"({1}, {n}, {n}, 1)")
    write.add("minibatches-2", f"(2, {n}, {n // 2}, 1)", _n_sgd(2))
    write.add("reuse-2", f"(2, {n}, {n}, 2)", _n_sgd(1, 2))
    write.add("minibatches-4", f"(4, {n}, {n // 4}, 1)", _n_sgd(4))
    write.add("reuse-4", f"(4, {n}, {n}, 4)", _n_sgd(1, 4))
    for part in (2, 4):
        write.add(
            f"on-policy-small-{part}",
            f"(1, {n // part}, {n // part}, 1), {part} times the steps",
            {"rollout.prompts_per_step": n // part},
            steps=part * steps,
        )
    write.add(
        "minibatches-4-large",
        f"(4, {4 * n}, {n}, 1), two fifths of the steps",
        {"rollout.prompts_per_step": 4 * n},
        _n_sgd(4),
        steps=2 * steps // 5,
    )


def _batches(write: _Writer) -> None:
    """Add the arms of section 4.3 and Experiments 11 and 12: group sizes.

    Their batch sizes are arms of Experiment 7.
    """
    for group in (write.scale.group // 2, write.scale.group // 4):
        write.add(f"group-{group}", f"groups of {group}", {"rollout.group_size": group})


def _entropy(write: _Writer) -> None:
    """Add the arms of Experiments 8, 9, 10 and Figure 20: entropy control and clipping."""
    scale = write.scale
    for coefficient in scale.coefficients:
        write.add(
            f"fixed-{coefficient:g}",
            f"entropy term {coefficient:g}, two updates",
            _n_sgd(2),
            _fixed(coefficient),
        )
    middle = scale.coefficients[2]
    write.add(
        f"fixed-{middle:g}-easy",
        f"entropy term {middle:g}, on easy problems",
        _n_sgd(2),
        _fixed(middle),
        data=(EASY,),
    )
    write.add("adaptive-4", "adaptive control, four minibatches", _n_sgd(4), _adaptive(scale))
    clipped = _n_sgd(*scale.clipped)
    minibatches, reuse = scale.clipped
    write.add("clip-0.2", f"{minibatches} minibatches, {reuse} times: updates that clip", clipped)
    for bound in (0.25, 0.265, 0.28):
        write.add(
            f"clip-{bound:g}",
            f"the same with the upper bound at {bound:g}",
            clipped,
            {"update.clip_high": bound},
        )


def _first_sections(write: _Writer) -> None:
    """Add the arms of Experiments 1 to 5: two updates a step, adaptive control."""
    scale = write.scale
    half = scale.steps // 2
    plain = (_n_sgd(2), _adaptive(scale))
    short = {"rollout.max_new_tokens": scale.first_limit}
    write.add(
        "control-2", f"from scratch at {scale.limit} tokens, temperature 1", *plain, is_cool=True
    )
    write.add(
        "multi-stage",
        f"half of the steps at {scale.first_limit} tokens, then {scale.limit}",
        *plain,
        stages=({"steps": half, **short}, {"steps": scale.steps - half}),
    )
    for rule in ("none", "mask-before", "mask-after"):
        write.add(
            f"truncation-{rule}",
            f"at {scale.first_limit} tokens, advantage mask: {rule}",
            *plain,
            short,
            {"update.truncation": rule},
        )
    cooler = {"rollout.temperature": 0.6}
    write.add("temperature-0.6", "sampled at 0.6", *plain, cooler, is_cool=True)
    held = {"update.kl_coefficient": scale.kl}
    for name, then in (("kl-kept", held), ("kl-dropped", {"update.kl_coefficient": 0.0})):
        write.add(
            name,
            f"penalty {scale.kl:g} at {scale.first_limit} tokens for half of the steps, then "
            f"{then['update.kl_coefficient']:g} at {scale.limit}",
            *plain,
            stages=({"steps": half, **short, **held}, {"steps": scale.steps - half, **then}),
        )
    write.add("data-easy", "easy problems, no difficulty filter", *plain, data=(EASY,))
    write.add("data-noisy", "with problems whose keys are wrong", *plain, data=(TRAIN, NOISY))


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


def _remedies(write: _Writer) -> None:
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
        write.add(name, text, _n_sgd(*scale.clipped), changes)
        if (home := home_of(name, scale)) != name:
            updates = UPDATES_AT_HOME[name]
            write.add(home, f"{text}; {updates} updates a step", _n_sgd(updates), changes)
    start, minimum, maximum = scale.relative
    relative = {
        "entropy.mode": "relative",
        "entropy.initial": start,
        "entropy.minimum": minimum,
        "entropy.maximum": maximum,
    }
    write.add("relative-4", "our controller, four minibatches", _n_sgd(4), relative)
    write.add("relative-2", "our controller, two minibatches", _n_sgd(2), relative)
