"""Numbers of verdicts as people read them: points, nats and factors. Pure."""

from __future__ import annotations

from math import exp

from reasonrl.studies.measures import Measure, Unit
from reasonrl.studies.verdicts import ClaimVerdict

_MOST = 99.0  # of a logarithm that is told as a factor


def difference_words(verdict: ClaimVerdict) -> str:
    """Return the mean difference and its interval, or the reason why they are missing.

    A factor that is compared with a number is told itself, as a share of the start.
    """
    if verdict.mean is None:
        return verdict.why
    claim, unit = verdict.claim, verdict.claim.measure.unit
    numbers = (verdict.mean, *(verdict.ci95 or ()))
    if unit is Unit.FACTOR:
        form = ".2f" if claim.other else ".0%"
        level = 0.0 if claim.other else claim.level
        told = [f"{_factor(one + level):{form}}" for one in numbers]
    elif unit is Unit.POINTS:
        told = [f"{100 * one:+.1f}" for one in numbers]
    else:
        told = [f"{one:+.3f}" for one in numbers]
    name = " of its start" if unit is Unit.FACTOR and not claim.other else f" {unit}".rstrip()
    interval = f" [{told[1]}, {told[2]}]" if len(told) > 1 else ""
    return f"{told[0]}{name}{interval}"


def amount_words(measure: Measure, amount: float) -> str:
    """Return an amount of a measure, such as a margin, with its unit."""
    if measure.unit is Unit.FACTOR:
        return f"a factor of {_factor(amount):.2f}"
    if measure.unit is Unit.POINTS:
        return f"{100 * amount:.1f} points"
    return f"{amount:.2g} {measure.unit}".rstrip()


def _factor(logarithm: float) -> float:
    return exp(min(logarithm, _MOST))
