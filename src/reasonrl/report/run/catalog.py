"""Which metrics the charts of a run show, in which order, and how a person reads them. Data."""

from __future__ import annotations

from dataclasses import dataclass

from reasonrl.report.drawing.chart import Color, Mark


@dataclass(frozen=True, slots=True)
class Line:
    """The metric that a series shows, and its form."""

    key: str
    label: str
    color: Color
    mark: Mark = Mark.LINE


@dataclass(frozen=True, slots=True)
class Panel:
    """The title and the series of a chart, without values; `healthy` helps to read it."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    healthy: str
    is_log: bool = False
    top: float | None = None


PANELS = {
    "accuracy": Panel(
        "Accuracy",
        "share of rollouts",
        (
            Line("accuracy/finished", "finished rollouts", Color.TEAL, Mark.FAINT),
            Line("accuracy/all", "all rollouts", Color.BLUE),
        ),
        "Healthy: both rise. If only all rollouts rise, the model learns to end in time.",
        top=1.0,
    ),
    "reward": Panel(
        "Reward",
        "mean over rollouts",
        (Line("reward/mean", "total", Color.BLUE),),
        "Healthy: rises together with the accuracy. If accuracy falls meanwhile, the reward is "
        "won by something else.",
    ),
    "length": Panel(
        "Length",
        "tokens per rollout",
        (
            Line("rollout/max_tokens", "longest", Color.GRAY, Mark.FAINT),
            Line("rollout/mean_tokens", "mean", Color.BLUE),
        ),
        "No right value. Shrinking towards a few tokens means that reasoning is given up.",
    ),
    "truncated": Panel(
        "Truncated",
        "share of rollouts",
        (
            Line("rollout/run_on_share", "had answered and went on", Color.RED, Mark.FAINT),
            Line("rollout/truncated_share", "cut off at the limit", Color.ORANGE),
        ),
        "Healthy: falls within a stage, and jumps where a stage has a lower limit.",
        top=1.0,
    ),
    "entropy": Panel(
        "Entropy",
        "nats per token",
        (Line("entropy/nats", "sampled", Color.BLUE),),
        "Healthy: falls slowly and stays above a quarter of its start while there is more to "
        "learn. Near 0 the rollouts of a problem hardly differ.",
    ),
    "coefficient": Panel(
        "Entropy coefficient",
        "",
        (Line("entropy/alpha", "applied", Color.PURPLE),),
        "0 while the entropy term is off.",
    ),
    "groups": Panel(
        "Groups by signal",
        "groups",
        (
            Line("groups/kept", "kept", Color.BLUE, Mark.STACK),
            Line("groups/solved", "solved", Color.TEAL, Mark.STACK),
            Line("groups/unsolved", "unsolved", Color.ORANGE, Mark.STACK),
            Line("groups/flat", "flat", Color.GRAY, Mark.STACK),
            Line("groups/failed", "failed", Color.RED, Mark.STACK),
        ),
        "Only kept groups are learned from. Healthy: at least a third is kept.",
    ),
    "gradient": Panel(
        "Gradient norm",
        "before clipping",
        (Line("update/gradient_norm", "mean over updates", Color.BLUE),),
        "Healthy: steady, with a spike now and then. A lasting rise comes before a collapse.",
    ),
    "ratio": Panel(
        "Policy ratio",
        "mean over tokens",
        (Line("update/ratio_mean", "new against old policy", Color.BLUE),),
        "Exactly 1 with one update a step, else within a few percent of 1.",
    ),
    "clipped": Panel(
        "Clipped",
        "share of tokens",
        (Line("update/clipped_share", "clipped", Color.ORANGE),),
        "0 with one update a step, else a few thousandths to percent.",
    ),
    "kl": Panel(
        "Distance from the reference",
        "nats per token",
        (Line("update/kl", "k3 estimate", Color.PURPLE),),
        "Healthy: grows slowly. A jump means that the policy left the reference at once.",
    ),
    "gap": Panel(
        "Sampler to learner gap",
        "nats per token, absolute",
        (
            Line("update/gap_max", "largest", Color.GRAY, Mark.FAINT),
            Line("update/gap_mean", "mean", Color.BLUE),
        ),
        "About 1e-6 in float32 on one engine, up to 1e-2 with another engine or precision.",
        is_log=True,
    ),
    "time": Panel(
        "Time",
        "seconds per step",
        (
            Line("time/rollout_s", "rollout", Color.BLUE, Mark.STACK),
            Line("time/update_s", "update", Color.ORANGE, Mark.STACK),
            Line("time/sync_s", "sync", Color.TEAL, Mark.STACK),
            Line("time/other_s", "other", Color.GRAY, Mark.STACK),
        ),
        "Healthy: steady within a stage.",
    ),
}
