"""Every arm of the report's studies, as changes to a base recipe. Data.

An arm that several studies name is run once. The arms of section 3 of the report take two updates a
step under adaptive entropy control. The arms of section 4 have no entropy control, except where the
study is about it.
"""

from __future__ import annotations

from reasonrl.studies.arm import EASY, NOISY, TRAIN, Arm, ArmWriter, Changes, adaptive, n_sgd
from reasonrl.studies.arms_beyond import add_long, add_remedies
from reasonrl.studies.scales import Scale


def arms_of(scale: Scale) -> dict[str, Arm]:
    """Return every arm, by name."""
    write = ArmWriter(scale)
    _updates(write)
    _batches(write)
    _entropy(write)
    _first_sections(write)
    add_remedies(write)
    if scale.horizon:
        add_long(write)
    return write.arms


def _fixed(coefficient: float) -> Changes:
    return {"entropy.mode": "fixed", "entropy.initial": coefficient}


def _updates(write: ArmWriter) -> None:
    """Add the arms of Experiments 6, 7 and Figure 18: updates a step, and the data they use."""
    n, steps = write.scale.prompts, write.scale.steps
    write.add("on-policy", f"({1}, {n}, {n}, 1)")
    write.add("minibatches-2", f"(2, {n}, {n // 2}, 1)", n_sgd(2))
    write.add("reuse-2", f"(2, {n}, {n}, 2)", n_sgd(1, 2))
    write.add("minibatches-4", f"(4, {n}, {n // 4}, 1)", n_sgd(4))
    write.add("reuse-4", f"(4, {n}, {n}, 4)", n_sgd(1, 4))
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
        n_sgd(4),
        steps=2 * steps // 5,
    )


def _batches(write: ArmWriter) -> None:
    """Add the arms of section 4.3 and Experiments 11 and 12: group sizes.

    Their batch sizes are arms of Experiment 7.
    """
    for group in (write.scale.group // 2, write.scale.group // 4):
        write.add(f"group-{group}", f"groups of {group}", {"rollout.group_size": group})


def _entropy(write: ArmWriter) -> None:
    """Add the arms of Experiments 8, 9, 10 and Figure 20: entropy control and clipping."""
    scale = write.scale
    for coefficient in scale.coefficients:
        write.add(
            f"fixed-{coefficient:g}",
            f"entropy term {coefficient:g}, two updates",
            n_sgd(2),
            _fixed(coefficient),
        )
    middle = scale.coefficients[2]
    write.add(
        f"fixed-{middle:g}-easy",
        f"entropy term {middle:g}, on easy problems",
        n_sgd(2),
        _fixed(middle),
        data=(EASY,),
    )
    write.add("adaptive-4", "adaptive control, four minibatches", n_sgd(4), adaptive(scale))
    clipped = n_sgd(*scale.clipped)
    minibatches, reuse = scale.clipped
    write.add("clip-0.2", f"{minibatches} minibatches, {reuse} times: updates that clip", clipped)
    for bound in (0.25, 0.265, 0.28):
        write.add(
            f"clip-{bound:g}",
            f"the same with the upper bound at {bound:g}",
            clipped,
            {"update.clip_high": bound},
        )


def _first_sections(write: ArmWriter) -> None:
    """Add the arms of Experiments 1 to 5: two updates a step, adaptive control."""
    scale = write.scale
    half = scale.steps // 2
    plain = (n_sgd(2), adaptive(scale))
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
