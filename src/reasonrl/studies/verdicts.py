"""Was a direction reproduced? Paired over seeds, with an interval; the rule is fixed beforehand.

For each seed that both arms have finished, the difference of a measure; over seeds, Student's t
interval of 95 %. A claim that one arm is above another is not reproduced when the interval lies
within the margin of 0 or below 0, reproduced when it lies above 0, and inconclusive otherwise. A
claim that two arms are alike is reproduced when the interval lies within the margin, not
reproduced when it leaves out all of it. With fewer than three seeds nothing is decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import fsum, isnan

from reasonrl.algo.stats import t95
from reasonrl.studies.arms import Arm
from reasonrl.studies.claims import Claim, Sign, Study
from reasonrl.studies.measures import CLIPPED, RunRecord, standard_error

Records = Mapping[tuple[str, int], RunRecord]
"""Finished runs, by arm and seed."""

MIN_SEEDS = 3

LEAST_CLIPPED = 0.01
"""Share of tokens that must be clipped for a claim on clipping to mean anything."""


class Outcome(StrEnum):
    """Say what became of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    VOID = "void"  # the runs do not do what the claim is about
    MISSING = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Hold what the runs say of a claim: the mean difference over seeds and its interval.

    `values` are the arm's own, by seed, `others` those it is compared with (empty if with a
    number).
    """

    claim: Claim
    outcome: Outcome
    why: str
    seeds: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    others: tuple[float, ...] = ()
    mean: float | None = None
    ci95: tuple[float, float] | None = None

    def describe(self) -> str:
        """Return the mean difference and its interval in a few characters."""
        if self.mean is None:
            return self.why
        interval = "" if self.ci95 is None else f" [{self.ci95[0]:+.3f}, {self.ci95[1]:+.3f}]"
        return f"{self.mean:+.3f}{interval}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """Hold a study, its verdicts, and the runs of its arms, by arm and seed."""

    study: Study
    outcome: Outcome
    verdicts: Sequence[Verdict]
    arms: Sequence[Arm]
    records: Records


def judge_study(study: Study, records: Records) -> list[Verdict]:
    """Return the verdict on each of a study's claims."""
    return [judge_claim(claim, records) for claim in study.claims]


def overall(verdicts: Sequence[Verdict]) -> Outcome:
    """Return the verdict on all headline claims together: all must be reproduced, none refuted."""
    outcomes = {one.outcome for one in verdicts if one.claim.is_headline}
    for decisive in (Outcome.NOT_REPRODUCED, Outcome.VOID, Outcome.MISSING, Outcome.INCONCLUSIVE):
        if decisive in outcomes:
            return decisive
    return Outcome.REPRODUCED if outcomes else Outcome.MISSING


def judge_claim(claim: Claim, records: Records) -> Verdict:
    """Return the verdict on one claim."""
    seeds = _seeds(claim, records)
    pairs = [_pair(claim, records, seed) for seed in seeds]
    known = [
        (seed, *pair)
        for seed, pair in zip(seeds, pairs, strict=True)
        if not (isnan(pair[0]) or isnan(pair[1]))
    ]
    if not known:
        why = "its runs do not have the measure" if seeds else "no finished runs of these arms"
        return Verdict(claim=claim, outcome=Outcome.MISSING, why=why)
    kept, values, others = (tuple(column) for column in zip(*known, strict=True))
    differences = [value - other for value, other in zip(values, others, strict=True)]
    mean = fsum(differences) / len(differences)
    verdict = Verdict(
        claim=claim,
        outcome=Outcome.INCONCLUSIVE,
        why=f"{len(differences)} of at least {MIN_SEEDS} seeds",
        seeds=kept,
        values=values,
        others=others if claim.other else (),
        mean=mean,
    )
    if len(differences) < MIN_SEEDS:
        return verdict
    half = t95(len(differences) - 1) * standard_error(differences)
    outcome, why = _decide(claim, mean - half, mean + half)
    if (share := _clipping(claim, records, kept)) is not None and share < LEAST_CLIPPED:
        outcome, why = Outcome.VOID, f"only {share:.2%} of {claim.other}'s tokens are clipped"
    return replace(verdict, outcome=outcome, why=why, ci95=(mean - half, mean + half))


def _decide(claim: Claim, low: float, high: float) -> tuple[Outcome, str]:
    is_small = -claim.within <= low and high <= claim.within
    if claim.sign is Sign.ALIKE:
        if is_small:
            return Outcome.REPRODUCED, "within the margin"
        if low > claim.within or high < -claim.within:
            return Outcome.NOT_REPRODUCED, "beyond the margin"
        return Outcome.INCONCLUSIVE, "the interval reaches beyond the margin"
    if is_small:
        return Outcome.NOT_REPRODUCED, "within the margin of 0"
    if low <= 0 <= high:
        return Outcome.INCONCLUSIVE, "the interval holds 0"
    if claim.sign is Sign.DIFFERENT or (low > 0) is (claim.sign is Sign.ABOVE):
        return Outcome.REPRODUCED, "the interval leaves out 0"
    return Outcome.NOT_REPRODUCED, "the opposite"


def _seeds(claim: Claim, records: Records) -> list[int]:
    of_arm = {seed for arm, seed in records if arm == claim.arm}
    of_other = {seed for arm, seed in records if arm == claim.other} if claim.other else of_arm
    return sorted(of_arm & of_other)


def _pair(claim: Claim, records: Records, seed: int) -> tuple[float, float]:
    """Return the measure of both arms, up to where the shorter one of them came."""
    run = records[claim.arm, seed]
    if not claim.other:
        return claim.measure.take(run), claim.level
    other = records[claim.other, seed]
    amount = min(run.amounts(claim.at)[-1], other.amounts(claim.at)[-1])
    mine, theirs = (claim.measure.take(one.until(claim.at, amount)) for one in (run, other))
    return mine, theirs + claim.level


def _clipping(claim: Claim, records: Records, seeds: Sequence[int]) -> float | None:
    """Return how much the arm that it is compared with clips, where the claim is about that."""
    if not claim.is_about_clipping:
        return None
    shares = [CLIPPED.take(records[claim.other, seed]) for seed in seeds]
    return fsum(shares) / len(shares)
