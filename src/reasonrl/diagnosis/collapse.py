"""Entropy collapse: the accuracy that entropy is traded for, and a warning before it is used up.

Over a run accuracy follows R = -a exp(H) + b (arXiv 2505.22617), so a fit on the first part of a
run predicts the accuracy at which it ends when no entropy is left. Pure; called by the studies, the
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

_FIRST = 5
"""Number of first steps whose mean is the entropy at the start."""

_WINDOW = 15
"""Number of steps through which the warning draws its line."""

_AHEAD = 15
"""Number of steps ahead within which the line must reach the bound."""

LEVEL = 0.4
"""Share of the start to which the median of the last 5 steps must have fallen."""

_IN_A_ROW = 3
"""Number of steps in a row at or below the bound that make a collapse."""

_TIMELY = 30
"""Number of steps within which a collapse must follow its warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyFit:
    """R = -a exp(H) + b, fitted to n steps.

    `ceiling` is R at H = 0, `r2` the share of the variance that the fit explains.
    """

    a: float
    b: float
    ceiling: float
    r2: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapseWarning:
    """The step of a run's first warning and the step of its collapse, None for never.

    Steps count from 0.
    """

    warned: int | None
    collapsed: int | None
    steps: int

    @property
    def is_told(self) -> bool:
        """Whether there was a warning and the run is long enough to judge it.

        It is if the collapse followed in time, or if more than 30 steps came after the warning.
        """
        if self.warned is None:
            return False
        return self.is_timely or self.warned + _TIMELY < self.steps

    @property
    def lead(self) -> int | None:
        """The number of steps from the warning to the collapse, None unless both happened."""
        if self.warned is None or self.collapsed is None:
            return None
        return self.collapsed - self.warned

    @property
    def is_timely(self) -> bool:
        """Whether the warning came 1 to 30 steps before the collapse."""
        return self.lead is not None and 0 < self.lead <= _TIMELY


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningScore:
    """The quality of the warning over several runs.

    Of the `collapsed` runs, `announced` had a warning in time, `median_lead` steps ahead. `warned`
    counts the runs whose warning can be judged (`CollapseWarning.is_told`); in `false` of them no
    collapse followed within 30 steps.
    """

    runs: int
    collapsed: int
    announced: int
    median_lead: float | None
    warned: int
    false: int


def fit_entropy(entropies: Sequence[float], accuracies: Sequence[float]) -> EntropyFit | None:
    """Fit the accuracies of steps to their entropies in nats, by least squares in exp(H).

    Return None for fewer than ten steps, or if the entropy hardly changed.
    """
    x = np.exp(np.asarray(entropies, dtype=np.float64))
    y = np.asarray(accuracies, dtype=np.float64)
    if len(x) < 10 or x.std() < 1e-3:
        return None
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    b = float(y.mean() - slope * x.mean())
    total = float(((y - y.mean()) ** 2).sum())
    residual = float(((y - slope * x - b) ** 2).sum())
    r2 = 1 - residual / total if total > 0 else 0.0
    return EntropyFit(a=-slope, b=b, ceiling=slope + b, r2=r2, n=len(x))


def collapse_step(entropies: Sequence[float]) -> int | None:
    """Return the first of three steps in a row that are collapsed, None if there are none."""
    if len(entropies) < _FIRST:
        return None
    bound = COLLAPSED * _start(entropies)
    return _first_run([nats <= bound for nats in entropies], _IN_A_ROW)


def warning_step(entropies: Sequence[float], *, level: float = LEVEL) -> int | None:
    """Return the first step with a warning, None for none; a step sees only the steps up to it.

    `is_falling`, called after every step, decides.
    """
    steps = range(len(entropies))
    return next((n for n in steps if is_falling(entropies[: n + 1], level=level)), None)


def is_falling(entropies: Sequence[float], *, level: float = LEVEL) -> bool:
    """Return whether a collapse is to be expected after the last step.

    It is if entropy has fallen to `level`, a share of its start, and a line through the logarithms
    of the last 15 steps reaches the bound within 15 more. The line alone gives false warnings: most
    runs lose half of their entropy early and then much less (docs/LOG.md).
    """
    if len(entropies) < _WINDOW or min(entropies) <= 0:
        return False
    start = _start(entropies)
    if median(entropies[-_FIRST:]) > level * start:
        return False
    slope, first = np.polyfit(np.arange(_WINDOW), np.log(entropies[-_WINDOW:]), 1)
    ahead = first + slope * (_WINDOW - 1 + _AHEAD)
    return bool(slope < 0 and ahead <= log(COLLAPSED * start))


def is_collapsed(entropies: Sequence[float]) -> bool:
    """Return whether the last three steps are at or below the bound."""
    bound = COLLAPSED * _start(entropies) if len(entropies) >= _FIRST else 0.0
    return all(nats <= bound for nats in entropies[-_IN_A_ROW:])


def judge_warning(entropies: Sequence[float], *, level: float = LEVEL) -> CollapseWarning:
    """Return the steps of a run's first warning and of its collapse."""
    return CollapseWarning(
        warned=warning_step(entropies, level=level),
        collapsed=collapse_step(entropies),
        steps=len(entropies),
    )


def score_warnings(judged: Sequence[CollapseWarning]) -> WarningScore:
    """Count the right and the false warnings of several runs."""
    leads = [warning.lead for warning in judged if warning.is_timely and warning.lead is not None]
    told = [warning for warning in judged if warning.is_told]
    return WarningScore(
        runs=len(judged),
        collapsed=sum(warning.collapsed is not None for warning in judged),
        announced=len(leads),
        median_lead=median(leads) if leads else None,
        warned=len(told),
        false=sum(not warning.is_timely for warning in told),
    )


def _start(entropies: Sequence[float]) -> float:
    return exp(sum(log(max(nats, 1e-12)) for nats in entropies[:_FIRST]) / _FIRST)


def _first_run(signs: Sequence[bool], length: int) -> int | None:
    for start in range(len(signs) - length + 1):
        if all(signs[start : start + length]):
            return start
    return None
