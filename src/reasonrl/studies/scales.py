"""What the report's settings are on the model at hand: one set of numbers for each scale.

The arms of the studies are written in these names, so that the same catalog runs on the miniature
and on a recipe of the report's size.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Hold the numbers that studies are written in.

    `prompts` is the report's D_R of 64, `limit` its T of 16K and `first_limit` its 8K;
    `coefficients` rise from one that does too little to one that does too much. The adaptive
    control is eq. 3.2 with `target_nats`, `delta` and `maximum`. `kl` is Experiment 5's beta.
    `clipped` is what the arms of clip-higher share: updates that do clip. The shares are of tokens
    that clip-cov leaves out and KL-cov holds; `relative` starts and bounds our controller.
    """

    name: str
    steps: int
    prompts: int
    group: int
    limit: int
    first_limit: int
    learning_rate: float
    target_nats: float
    delta: float
    maximum: float
    coefficients: tuple[float, ...]
    kl: float
    clipped: tuple[int, int]
    clip_cov_share: float
    kl_cov_share: float
    relative: tuple[float, float, float]

    @property
    def evaluate_every(self) -> int:
        """Return the steps between two evaluations, the same for every arm."""
        return max(1, self.steps // 5)


MINIATURE = Scale(
    name="miniature",
    steps=100,
    prompts=16,
    group=16,
    limit=76,
    first_limit=38,  # cuts off 40 % of what it writes at first, as 8K did of the report's
    learning_rate=3e-4,  # chosen on the on-policy arm alone
    target_nats=0.24,  # 60 % of its first entropy
    delta=2e-3,
    maximum=0.05,
    coefficients=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    kl=0.02,
    clipped=(4, 4),
    clip_cov_share=0.01,  # some fifty tokens a step, of some thousands and not of millions
    kl_cov_share=0.05,
    relative=(1e-2, 1e-3, 5e-2),
)

REPORT = Scale(
    name="report",
    steps=1_000,
    prompts=64,
    group=16,
    limit=16_384,
    first_limit=8_192,
    learning_rate=1e-6,
    target_nats=0.2,
    delta=1e-4,
    maximum=5e-3,
    coefficients=(1e-4, 5e-4, 1e-3, 5e-3, 1e-2),
    kl=1e-3,
    clipped=(4, 1),
    clip_cov_share=2e-4,
    kl_cov_share=2e-3,
    relative=(1e-4, 1e-5, 5e-3),
)
"""The report's own numbers (Tables 1 to 6); the controller's are the released scripts', the shares
those of the remedies' papers. The relative controller's have not been tried at this size."""
