"""Entropy as an instrument: what accuracy it pays for, and whether it is about to be gone.

Accuracy bought with entropy follows R = -a exp(H) + b over a run (arXiv 2505.22617), so a fit on
part of it predicts where accuracy ends when no entropy is left. Pure; called by the studies, the
page of a run and `reasonrl status`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median

import numpy as np

COLLAPSED = 0.25
"""Share of the first steps' entropy at or below which a run counts as collapsed."""

_FIRST = 5  # steps whose mean is the entropy at the start
_WINDOW = 15  # steps that the warning's line is drawn through
_AHEAD = 15  # steps within which it warns of a collapse
_LEVEL = 0.4  # share of the start that the median of the last 5 must be down to
_IN_A_ROW = 3  # steps at or below the bound that make a collapse
_TIMELY = 30  # steps within which a collapse must follow its warning


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyFit:
    """Hold R = -a exp(H) + b, fitted to n steps; `ceiling` is R at H = 0, `r2` the fit's share of
    the variance."""

    a: float
    b: float
    ceiling: float
    r2: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapseWarning:
    """Say when a run was first warned of, and when it collapsed; None for never. Steps count from
    0."""

    warned: int | None
    collapsed: int | None
    steps: int

    @property
    def is_told(self) -> bool:
        """Say whether the run shows if its warning was right: it came, and 30 steps after it."""
        if self.warned is None:
            return False
        return self.is_timely or self.warned + _TIMELY < self.steps

    @property
    def lead(self) -> int | None:
        """Return how many steps ahead the warning came, None without both."""
        if self.warned is None or self.collapsed is None:
            return None
        return self.collapsed - self.warned

    @property
    def is_timely(self) -> bool:
        """Say whether a collapse was announced 1 to 30 steps ahead."""
        return self.lead is not None and 0 < self.lead <= _TIMELY


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningScore:
    """Hold how good the warning was on some runs.

    Of the `collapsed` ones `announced` were in time, `median_lead` steps ahead; of the `warned`
    ones, those left out that ended within 30 steps of it, `false` did not collapse in these.
    """

    runs: int
    collapsed: int
    announced: int
    median_lead: float | None
    warned: int
    false: int


def fit_entropy(entropies: Sequence[float], accuracies: Sequence[float]) -> EntropyFit | None:
    """Fit accuracies of steps by their entropies in nats, by least squares in exp(H).

    None with fewer than ten steps, or where entropy hardly moved.
    """
    x = np.exp(np.asarray(entropies, dtype=np.float64))
    y = np.asarray(accuracies, dtype=np.float64)
    if len(x) < 10 or x.std() < 1e-3:
        return None
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    b = float(y.mean() - slope * x.mean())
    total = float(((y - y.mean()) ** 2).sum())
    left = float(((y - slope * x - b) ** 2).sum())
    r2 = 1 - left / total if total > 0 else 0.0
    return EntropyFit(a=-slope, b=b, ceiling=slope + b, r2=r2, n=len(x))


def collapse_step(entropies: Sequence[float]) -> int | None:
    """Return the first step from which three in a row are collapsed, None if there is none."""
    if len(entropies) < _FIRST:
        return None
    bound = COLLAPSED * _start(entropies)
    return _first_run([one <= bound for one in entropies], _IN_A_ROW)


def warning_step(entropies: Sequence[float]) -> int | None:
    """Return the first step at which a collapse was in sight, from the steps up to it alone.

    See `is_falling`, which this asks after every step.
    """
    steps = range(len(entropies))
    return next((n for n in steps if is_falling(entropies[: n + 1])), None)


def is_falling(entropies: Sequence[float]) -> bool:
    """Say whether a collapse is in sight at the last step.

    Entropy is down to 40 % of its start, and a line through the logarithms of the last 15 steps
    reaches the bound within 15 more. The line alone cries wolf: most runs lose half their entropy
    soon and then much less (docs/LOG.md).
    """
    if len(entropies) < _WINDOW or min(entropies) <= 0:
        return False
    start = _start(entropies)
    if median(entropies[-_FIRST:]) > _LEVEL * start:
        return False
    slope, level = np.polyfit(np.arange(_WINDOW), np.log(entropies[-_WINDOW:]), 1)
    ahead = level + slope * (_WINDOW - 1 + _AHEAD)
    return bool(slope < 0 and ahead <= log(COLLAPSED * start))


def is_collapsed(entropies: Sequence[float]) -> bool:
    """Say whether entropy is down to the bound in the last steps."""
    bound = COLLAPSED * _start(entropies) if len(entropies) >= _FIRST else 0.0
    return all(one <= bound for one in entropies[-_IN_A_ROW:])


def judge_warning(entropies: Sequence[float]) -> CollapseWarning:
    """Return when a run would have been warned of and when it collapsed."""
    return CollapseWarning(
        warned=warning_step(entropies),
        collapsed=collapse_step(entropies),
        steps=len(entropies),
    )


def score_warnings(judged: Sequence[CollapseWarning]) -> WarningScore:
    """Count the warnings of several runs that were right and those that were not."""
    leads = [one.lead for one in judged if one.is_timely and one.lead is not None]
    warned = [one for one in judged if one.is_told]
    return WarningScore(
        runs=len(judged),
        collapsed=sum(one.collapsed is not None for one in judged),
        announced=len(leads),
        median_lead=median(leads) if leads else None,
        warned=len(warned),
        false=sum(not one.is_timely for one in warned),
    )


def _start(entropies: Sequence[float]) -> float:
    return exp(sum(log(max(one, 1e-12)) for one in entropies[:_FIRST]) / _FIRST)


def _first_run(signs: Sequence[bool], length: int) -> int | None:
    for start in range(len(signs) - length + 1):
        if all(signs[start : start + length]):
            return start
    return None
