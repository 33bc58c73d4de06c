"""What is claimed, and of what: the records that a catalog is written in, and two short ways to
write them. Margins are the same throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from math import log

from reasonrl.studies import measures as m
from reasonrl.studies.measures import Axis, Measure


class Sign(StrEnum):
    """Say how an arm is claimed to stand to another, or to a number."""

    ABOVE = "above"
    BELOW = "below"
    ALIKE = "alike"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Hold one claim: `arm` stands so to `other`, or to the number `level` if that is empty.

    Runs of different length are compared at equal amounts of `at`. `level` is added to the other
    arm's value. `margin` is what counts as no difference, the measure's own if not given.
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
        """Return what counts as no difference."""
        return self.measure.margin if self.margin is None else self.margin

    @property
    def is_score(self) -> bool:
        """Say whether it is about how well the policy does, and not how."""
        return self.measure in m.SCORES


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Hold a study: where it stands in the report, its question, claims, and usual seeds.

    `is_reports` marks the report's own; the others are this project's.
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
        """Return the arms that its claims name, each once, in order."""
        named = [arm for claim in self.claims for arm in (claim.other, claim.arm) if arm]
        return list(dict.fromkeys(named))


ALIKE_SCORE = 0.05
"""Five points of avg@k: no difference of scores, where two arms are claimed to be alike."""

ALIKE_TIME = log(1.5)
"""A factor of 1.5 in the time to fall, between arms that are claimed to be alike."""


def _of_two(
    text: str,
    arm: str,
    sign: Sign,
    other: str,
    *,
    measure: Measure,
    at: Axis = Axis.STEPS,
    is_headline: bool = False,
    is_about_clipping: bool = False,
) -> Claim:
    is_alike_in_score = sign is Sign.ALIKE and measure in m.SCORES
    return Claim(
        text=text,
        measure=measure,
        arm=arm,
        sign=sign,
        other=other,
        margin=ALIKE_SCORE if is_alike_in_score else None,
        at=at,
        is_headline=is_headline,
        is_about_clipping=is_about_clipping,
    )


entropy = partial(_of_two, measure=m.ENTROPY_LEVEL)
"""Return a claim about the entropies of two arms, their levels if no measure is given."""

score = partial(_of_two, measure=m.SCORE_END)
"""Return a claim about the scores of two arms, those at the end if no measure is given."""
