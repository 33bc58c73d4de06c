"""How many seeds decide a claim: the verdict's own rule, on simulated differences. Pure.

Power here is the chance that a claim is decided, either way, at a number of seeds. Differences are
drawn from a normal distribution with the spread that was seen; for the hardest truth, the size of
the difference is the one that the rule decides least often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from reasonrl.algo.stats import t95
from reasonrl.studies.claims import Claim, Sign
from reasonrl.studies.verdicts import MIN_SEEDS, is_refuted, is_reproduced

WANTED = 0.8
"""The power that a deciding study needs."""

MOST_SEEDS = 1_000
_DRAWS = 4_000
# True differences in margins. No number of seeds decides whether a difference that is just the
# margin is alike or not.
_ASYMMETRIC = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
_ALIKE = (0.0, 0.25, 0.5, 1.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The power of a claim at `seeds`, and the seeds that it needs; None beyond `MOST_SEEDS`.

    `as_seen` takes the mean difference that was seen for the truth, `hardest` the truth that is
    hardest to decide (for claims that two arms are alike, of those that are not near the margin).
    """

    seeds: int
    as_seen: float
    hardest: float
    needed_as_seen: int | None
    needed_hardest: int | None


def power_of(claim: Claim, *, mean: float, spread: float, seeds: int) -> Power:
    """Return the power of a claim whose differences over seeds have this mean and spread."""
    seen = (mean,)
    truths = _truths(claim)
    return Power(
        seeds=seeds,
        as_seen=chance(claim, seen, spread, seeds),
        hardest=chance(claim, truths, spread, seeds),
        needed_as_seen=_needed(claim, seen, spread),
        needed_hardest=_needed(claim, truths, spread),
    )


def chance(claim: Claim, truths: Sequence[float], spread: float, seeds: int) -> float:
    """Return the least chance, over some true differences, that the claim is decided."""
    if seeds < MIN_SEEDS:
        return 0.0
    return min(sum(shares(claim, truth, spread, seeds)) for truth in truths)


def shares(claim: Claim, truth: float, spread: float, seeds: int) -> tuple[float, float]:
    """Return the shares of simulated studies that reproduce and that refute a claim."""
    rng = np.random.default_rng(0)  # the same draws for every claim and number of seeds
    means = truth + spread / sqrt(seeds) * rng.standard_normal(_DRAWS)
    spreads = spread * np.sqrt(rng.chisquare(seeds - 1, _DRAWS) / (seeds - 1))
    halves = t95(seeds - 1) * spreads / sqrt(seeds)
    low, high = means - halves, means + halves
    return (
        float(np.mean(is_reproduced(claim, low, high))),
        float(np.mean(is_refuted(claim, low, high))),
    )


def _truths(claim: Claim) -> Sequence[float]:
    """Return differences from 0 to beyond the margin; the rule is alike on both sides of 0."""
    sign = -1.0 if claim.sign is Sign.BELOW else 1.0
    shares = _ALIKE if claim.sign is Sign.ALIKE else _ASYMMETRIC
    return [sign * share * claim.within for share in shares]


def _needed(claim: Claim, truths: Sequence[float], spread: float) -> int | None:
    """Return the fewest seeds with the wanted power, by halving: power grows with seeds."""
    low, high = MIN_SEEDS - 1, MIN_SEEDS
    while chance(claim, truths, spread, high) < WANTED:
        low, high = high, 2 * high
        if low >= MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if chance(claim, truths, spread, middle) < WANTED:
            low = middle
        else:
            high = middle
    return high
