"""The settings of the report at two scales: rescaled to the miniature, and the report's own.

The arms of the studies are written in these names, so that the same catalog runs on the miniature
and on a recipe of the report's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The numbers that studies are written in.

    `prompts` is the report's D_R of 64, `limit` its T of 16K and `first_limit` its 8K. The entropy
    `coefficients` rise from too small to too large. The adaptive control is eq. 3.2 with
    `target_nats`, `delta` and `maximum`. `kl` is Experiment 5's beta. `clipped` holds the
    minibatches and the reuse of the clip-higher arms, whose updates do clip. `horizon` is the
    number of steps of the long arms and `clipped_horizon` that of the long clip-higher arms; 0
    where the other arms are long already. The two shares are of the tokens that clip-cov leaves out
    and that KL-cov holds back. `relative` holds start, minimum and maximum of our controller.
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
    horizon: int
    clipped_horizon: int
    clip_cov_share: float
    kl_cov_share: float
    relative: tuple[float, float, float]

    @property
    def evaluate_every(self) -> int:
        """Return the number of steps between two evaluations of the arms with `steps` steps."""
        return max(1, self.steps // 10)


MINIATURE = Scale(
    name="miniature",
    steps=100,
    prompts=16,
    group=16,
    limit=76,
    # Cuts off 40 % of the first rollouts, as 8K did in the report.
    first_limit=38,
    # Chosen on the on-policy arm alone.
    learning_rate=3e-4,
    # 60 % of the miniature's first entropy.
    target_nats=0.24,
    delta=2e-3,
    maximum=0.05,
    coefficients=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    kl=0.02,
    clipped=(4, 4),
    horizon=1_000,
    # 4,800 updates, more than the 4,000 of the other long arms.
    clipped_horizon=300,
    # About fifty tokens a step: a step has some thousand tokens here, not millions.
    clip_cov_share=0.01,
    kl_cov_share=0.05,
    relative=(1e-2, 1e-3, 5e-2),
)

# Cuts off 40 % of the first rollouts too (seeds 1 to 3). The first entropy is 0.375 to 0.415 nats,
# so that the target of the chains is 60 % of it here too.
SEARCH = replace(MINIATURE, name="search", first_limit=25)

SCALES: Mapping[str, Scale] = {"chains": MINIATURE, "search": SEARCH}
"""The scales of the worlds of the lab, by their names."""

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
    horizon=0,
    clipped_horizon=0,
    clip_cov_share=2e-4,
    kl_cov_share=2e-3,
    relative=(1e-4, 1e-5, 5e-3),
)
"""The report's own numbers (Tables 1 to 6). The controller's numbers are from the released scripts,
the shares from the remedies' papers. The relative controller was not tried at this size."""
