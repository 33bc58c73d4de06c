"""Studies and their claims: the records and the functions that the catalog is written in.

The margins are the same throughout the catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from math import log

from reasonrl.studies import measures as m
from reasonrl.studies.measures import Measure
from reasonrl.studies.record import Axis


class Sign(StrEnum):
    """The claimed relation of an arm to another arm, or to a number."""

    ABOVE = "above"
    BELOW = "below"
    ALIKE = "alike"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim that the measure of `arm` is above, below or like the measure of `other`.

    `level` is added to the value of `other`; without an `other` the arm is compared with `level`
    alone. Runs of different length are compared at equal amounts of `at`. A difference up to
    `margin`, by default the measure's own margin, counts as no difference. The headline claims
    decide the study.
    """

    text: str
    measure: Measure
    arm: str
    sign: Sign
    other: str = ""
    level: float = 0.0
    margin: float | None = None
    at: Axis = Axis.STEPS
    is_headline: bool = False
    is_about_clipping: bool = False

    @property
    def within(self) -> float:
        """Return the largest difference that counts as no difference."""
        return self.measure.margin if self.margin is None else self.margin

    @property
    def is_score(self) -> bool:
        """Return whether the claim is about how well the policy solves problems."""
        return self.measure in m.SCORES


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study: its place in the report, its question, its claims, and its usual number of seeds.

    `is_reports` is False for the studies that the report does not have.
    """

    name: str
    where: str
    question: str
    claims: tuple[Claim, ...]
    note: str = ""
    seeds: int = 3
    is_reports: bool = True

    @property
    def arms(self) -> list[str]:
        """Return the arms that the claims name, each once, in order."""
        return _arms_of(self.claims)

    @property
    def deciding_arms(self) -> list[str]:
        """Return the arms that the headline claims name, in the same order."""
        return _arms_of([claim for claim in self.claims if claim.is_headline])


def _arms_of(claims: Sequence[Claim]) -> list[str]:
    named = [arm for claim in claims for arm in (claim.other, claim.arm) if arm]
    return list(dict.fromkeys(named))


ALIKE_SCORE = 0.05
"""Five points of avg@k: the margin between the scores of arms that are claimed to be alike."""

ALIKE_LEFT = log(1.25)
"""A factor of 1.25: the margin between what is left of the entropies of such arms."""


def claim(
    text: str,
    relation: str,
    *,
    measure: Measure,
    level: float = 0.0,
    at: Axis = Axis.STEPS,
    is_about_clipping: bool = False,
) -> Claim:
    """Return a claim with its relation in words: "multi-stage below control-2".

    A relation without a second arm compares with `level`: "kl-kept below".
    """
    arm, sign, *other = relation.split()
    return Claim(
        text=text,
        measure=measure,
        arm=arm,
        sign=Sign(sign),
        other=" ".join(other),
        level=level,
        margin=_margin(Sign(sign), measure),
        at=at,
        is_about_clipping=is_about_clipping,
    )


entropy = partial(claim, measure=m.ENTROPY_LEVEL)
"""Return a claim about the entropies of two arms; without a measure, about their levels."""

score = partial(claim, measure=m.SCORE_END)
"""Return a claim about the scores of two arms; without a measure, about the scores at the end."""


def headline(claim: Claim) -> Claim:
    """Return the claim as a headline claim, which decides its study."""
    return replace(claim, is_headline=True)


def _margin(sign: Sign, measure: Measure) -> float | None:
    if sign is not Sign.ALIKE:
        return None
    if measure in m.SCORES:
        return ALIKE_SCORE
    return ALIKE_LEFT if measure is m.ENTROPY_CHANGE else None
