"""Decide whether a claim was reproduced: paired over seeds, with an interval, by a fixed rule.

For each seed that both arms have finished, by one commit on one machine, the difference of a
measure; over seeds, Student's t interval of 95 %. A claim that one arm is above another is not
reproduced when the interval lies within the margin of 0 or below 0, reproduced when it lies above
0, and inconclusive otherwise. A claim that two arms are alike is reproduced when the interval lies
within the margin, not reproduced when it lies beyond the margin, and inconclusive otherwise. Fewer
than three seeds decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf, isfinite, isnan, nan

import numpy as np
import numpy.typing as npt

from reasonrl.algo.stats import t95
from reasonrl.studies.arm import Arm
from reasonrl.studies.claims import Claim, Sign, Study
from reasonrl.studies.measures import CLIPPED, mean, standard_error
from reasonrl.studies.record import RunRecord

Edge = float | npt.NDArray[np.float64]
"""An edge of an interval, or of each of many intervals."""

Truth = np.bool_ | npt.NDArray[np.bool_]

Records = Mapping[tuple[str, int], RunRecord]
"""Finished runs, by arm and seed."""

MIN_SEEDS = 3

LEAST_CLIPPED = 0.01
"""Share of clipped tokens below which a claim on clipping is void."""


class ClaimOutcome(StrEnum):
    """The outcome of a claim, or of a study."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    VOID = "void"  # the claim is about clipping, and the runs hardly clip
    MISSING = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVerdict:
    """The verdict on a claim, with the mean difference over seeds and its interval.

    `values` are the arm's measures, one for each of `seeds`; `others` are the measures of the
    other arm, empty if the claim compares with a number.
    """

    claim: Claim
    outcome: ClaimOutcome
    why: str
    seeds: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    others: tuple[float, ...] = ()
    mean: float | None = None
    ci95: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """A study in a world, its verdicts, and the runs of its arms, by arm and seed.

    `registration` is the hash of what was fixed before the runs (`registrations`). `pages` are the
    addresses of the runs' pages, seen from the page of the studies.
    """

    study: Study
    world: str = ""
    outcome: ClaimOutcome
    verdicts: Sequence[ClaimVerdict]
    arms: Sequence[Arm]
    records: Records
    registration: str = ""
    pages: Mapping[tuple[str, int], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A seed's runs of both arms, cut where the shorter run ends, and their measures.

    A claim on one arm has no `rival`; its `other` is the number that the arm is compared with.
    """

    seed: int
    run: RunRecord
    rival: RunRecord | None
    value: float
    other: float


def judge_study(study: Study, records: Records) -> list[ClaimVerdict]:
    """Return the verdict on each of a study's claims."""
    return [judge_claim(claim, records) for claim in study.claims]


def overall(verdicts: Sequence[ClaimVerdict]) -> ClaimOutcome:
    """Return the outcome of a study: reproduced if all of its headline claims are."""
    outcomes = {verdict.outcome for verdict in verdicts if verdict.claim.is_headline}
    for decisive in (
        ClaimOutcome.NOT_REPRODUCED,
        ClaimOutcome.VOID,
        ClaimOutcome.MISSING,
        ClaimOutcome.INCONCLUSIVE,
    ):
        if decisive in outcomes:
            return decisive
    return ClaimOutcome.REPRODUCED if outcomes else ClaimOutcome.MISSING


def judge_claim(claim: Claim, records: Records) -> ClaimVerdict:
    """Return the verdict on one claim."""
    pairs = pairs_of(claim, records)
    if not pairs:
        return ClaimVerdict(
            claim=claim, outcome=ClaimOutcome.MISSING, why=_why_missing(claim, records)
        )
    kept = tuple(pair.seed for pair in pairs)
    values, others = tuple(pair.value for pair in pairs), tuple(pair.other for pair in pairs)
    differences = [pair.value - pair.other for pair in pairs]
    center = mean(differences)
    verdict = ClaimVerdict(
        claim=claim,
        outcome=ClaimOutcome.INCONCLUSIVE,
        why=f"{len(differences)} of at least {MIN_SEEDS} seeds",
        seeds=kept,
        values=values,
        others=others if claim.other else (),
        mean=center,
    )
    if len(differences) < MIN_SEEDS:
        return verdict
    half = t95(len(differences) - 1) * standard_error(differences)
    outcome, why = decide(claim, center - half, center + half)
    if (share := _clipping(claim, records, kept)) is not None and share < LEAST_CLIPPED:
        outcome, why = ClaimOutcome.VOID, f"only {share:.2%} of {claim.other}'s tokens are clipped"
    return replace(verdict, outcome=outcome, why=why, ci95=(center - half, center + half))


def decide(claim: Claim, low: float, high: float) -> tuple[ClaimOutcome, str]:
    """Return the outcome of a claim whose difference has this interval, and the reason."""
    is_alike = claim.sign is Sign.ALIKE
    if is_reproduced(claim, low, high):
        why = "within the margin" if is_alike else "the interval leaves out 0"
        return ClaimOutcome.REPRODUCED, why
    if is_refuted(claim, low, high):
        if is_alike:
            return ClaimOutcome.NOT_REPRODUCED, "beyond the margin"
        if is_small(claim, low, high):
            level = "0" if claim.other else "the level"
            return ClaimOutcome.NOT_REPRODUCED, f"within the margin of {level}"
        return ClaimOutcome.NOT_REPRODUCED, "the opposite" if claim.other else "beyond the level"
    why = "the interval reaches beyond the margin" if is_alike else "the interval holds 0"
    return ClaimOutcome.INCONCLUSIVE, why


def is_reproduced(claim: Claim, low: Edge, high: Edge) -> Truth:
    """Return whether an interval, or each of many, reproduces a claim."""
    small = is_small(claim, low, high)
    if claim.sign is Sign.ALIKE:
        return small
    sides = {
        Sign.ABOVE: np.greater(low, 0),
        Sign.BELOW: np.less(high, 0),
        Sign.DIFFERENT: np.greater(low, 0) | np.less(high, 0),
    }
    return sides[claim.sign] & ~small


def is_refuted(claim: Claim, low: Edge, high: Edge) -> Truth:
    """Return whether an interval, or each of many, says that a claim does not hold."""
    if claim.sign is Sign.ALIKE:
        return np.greater(low, claim.within) | np.less(high, -claim.within)
    small = is_small(claim, low, high)
    if claim.sign is Sign.DIFFERENT:
        return small
    return small | (np.less(high, 0) if claim.sign is Sign.ABOVE else np.greater(low, 0))


def is_small(claim: Claim, low: Edge, high: Edge) -> Truth:
    """Return whether an interval, or each of many, lies within the margin of a claim."""
    return np.greater_equal(low, -claim.within) & np.less_equal(high, claim.within)


def pairs_of(claim: Claim, records: Records) -> list[Pair]:
    """Return the pairs of a claim whose measures are known, in the order of their seeds."""
    pairs = [_pair(claim, records, seed) for seed in paired_seeds(claim, records)]
    return [pair for pair in pairs if not (isnan(pair.value) or isnan(pair.other))]


def paired_seeds(claim: Claim, records: Records) -> list[int]:
    """Return the seeds whose runs of both arms one commit made on one machine."""
    return [seed for seed in _finished(claim, records) if _is_pair(claim, records, seed)]


def _finished(claim: Claim, records: Records) -> list[int]:
    of_arm = {seed for arm, seed in records if arm == claim.arm}
    of_other = {seed for arm, seed in records if arm == claim.other} if claim.other else of_arm
    return sorted(of_arm & of_other)


def _is_pair(claim: Claim, records: Records, seed: int) -> bool:
    origin = records[claim.arm, seed].origin
    return not claim.other or (origin.is_known and origin == records[claim.other, seed].origin)


def _why_missing(claim: Claim, records: Records) -> str:
    if paired_seeds(claim, records):
        return "its runs do not have the measure"
    if _finished(claim, records):
        return "no seed has both arms from one commit and machine: run one of the arms again"
    return "no finished runs of these arms"


def _pair(claim: Claim, records: Records, seed: int) -> Pair:
    """Return a seed's runs, cut where the shorter run ends, with their measures."""
    run = records[claim.arm, seed]
    if not claim.other:
        value = claim.measure.take(run)
        return Pair(seed=seed, run=run, rival=None, value=value, other=claim.level)
    rival = records[claim.other, seed]
    ways = [one.amounts(claim.at) for one in (run, rival)]
    amount = min(way[-1] for way in ways)
    run, rival = run.until(claim.at, amount), rival.until(claim.at, amount)
    value, other = claim.measure.take(run), claim.measure.take(rival) + claim.level
    if any(min((one for one in way if isfinite(one)), default=inf) > amount for way in ways):
        value = nan  # an arm was beyond the amount when it began, so that nothing is equal
    return Pair(seed=seed, run=run, rival=rival, value=value, other=other)


def _clipping(claim: Claim, records: Records, seeds: Sequence[int]) -> float | None:
    """Return the mean clipped share of the other arm; None if the claim is not about clipping."""
    if not claim.is_about_clipping:
        return None
    return mean([CLIPPED.take(records[claim.other, seed]) for seed in seeds])
