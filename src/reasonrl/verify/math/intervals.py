"""Sets of real numbers as sorted disjoint intervals, and their algebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from reasonrl.verify.math.tree import Expression, Operation


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of an interval: its position on the real line, and the exact expression if finite."""

    position: float
    expression: Expression
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval; a single point has two equal closed endpoints."""

    low: Endpoint
    high: Endpoint


@dataclass(frozen=True, slots=True)
class RealSet:
    """Disjoint intervals from left to right, and the variable of the statement, if it has one."""

    intervals: tuple[Interval, ...]
    variable: str = ""


LEFT_END = Endpoint(-inf, Operation("infinity"), is_closed=False)
RIGHT_END = Endpoint(inf, Operation("infinity"), is_closed=False)
REALS = (Interval(LEFT_END, RIGHT_END),)


def union(groups: Sequence[tuple[Interval, ...]]) -> tuple[Interval, ...]:
    """Return the union of groups of intervals, in normal form."""
    intervals = sorted(
        (interval for group in groups for interval in group),
        key=lambda interval: (interval.low.position, not interval.low.is_closed),
    )
    merged: list[Interval] = []
    for interval in intervals:
        last = merged[-1] if merged else None
        if last is not None and _touch(last.high, interval.low):
            merged[-1] = Interval(last.low, max(last.high, interval.high, key=_high_key))
        else:
            merged.append(interval)
    return tuple(merged)


def _touch(high: Endpoint, low: Endpoint) -> bool:
    return high.position > low.position or (
        high.position == low.position and (high.is_closed or low.is_closed)
    )


def _high_key(endpoint: Endpoint) -> tuple[float, bool]:
    return endpoint.position, endpoint.is_closed


def intersection(left: tuple[Interval, ...], right: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Return the points that are in both groups of intervals, in normal form."""
    common = []
    for a in left:
        for b in right:
            low = max(
                a.low, b.low, key=lambda endpoint: (endpoint.position, not endpoint.is_closed)
            )
            high = min(a.high, b.high, key=_high_key)
            is_point = low.position == high.position and low.is_closed and high.is_closed
            if low.position < high.position or is_point:
                common.append(Interval(low, high))
    return union([tuple(common)])


def complement(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Return the points of the real line outside sorted intervals."""
    gaps, start = [], LEFT_END
    for interval in intervals:
        if start.position < interval.low.position or (
            start.is_closed and not interval.low.is_closed
        ):
            gaps.append(Interval(start, _turned(interval.low)))
        start = _turned(interval.high)
    if start.position < inf:
        gaps.append(Interval(start, RIGHT_END))
    return tuple(gaps)


def _turned(endpoint: Endpoint) -> Endpoint:
    return Endpoint(endpoint.position, endpoint.expression, not endpoint.is_closed)
