"""Round numbers for the axes of charts, and numbers and texts as people write them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10
from typing import TypeVar

Item = TypeVar("Item")

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


# axes


def linear_ticks(low: float, high: float, *, at_most: int) -> list[float]:
    """Return round numbers at equal distances that cover [low, high]; at least two.

    Where low equals high, the axis reaches to 1 above it.
    """
    if high <= low:
        high = low + 1.0
    rough = (high - low) / at_most
    power = 10.0 ** floor(log10(rough))
    step = next(number * power for number in _ROUND if number * power >= rough * (1 - 1e-9))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def step_ticks(first: int, last: int, *, at_most: int) -> list[int]:
    """Return round whole numbers within [first, last]; all of them when they are few."""
    distance = max(1, round(linear_ticks(0, max(1, last - first), at_most=at_most)[1]))
    start = ceil(first / distance) * distance
    return list(range(start, last + 1, distance))


def decade_ticks(values: Sequence[float]) -> list[float]:
    """Return the powers of ten around positive values, at most about six of them."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + 1)
    distance = ceil((high - low) / 5)
    return [10.0**power for power in range(low, high + distance, distance)]


def decade_text(value: float) -> str:
    """Return a power of ten, as 1e-4 where it is far from 1."""
    return f"{value:g}" if 1e-3 < value < 1e4 else f"1e{round(log10(value))}"


def tick_text(value: float, distance: float) -> str:
    """Return a tick's label, with the decimals that the distance to the next tick needs."""
    if value == 0:
        return "0"
    for size, letter in _PREFIXES:
        if abs(value) >= 10 * size:
            return f"{value / size:.4g}{letter}"
    if distance < 1e-4:
        return short_text(value)
    decimals = next(n for n in range(8) if abs(distance * 10**n - round(distance * 10**n)) < 1e-6)
    return f"{value:.{decimals}f}"


# numbers and texts


def short_text(value: float) -> str:
    """Return about four digits of a number: 0.8496, 12.5, 3e-7."""
    mantissa, e, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def cell_text(value: float) -> str:
    """Return a number for a column of a table: three decimals below 10, none from 10 on."""
    return f"{value:.3f}" if isfinite(value) and abs(value) < 10 else f"{value:.0f}"


def duration_text(seconds: float) -> str:
    """Return a duration: 45.2 s, 3 min 20 s, 1 h 2 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def shorten(text: str, most: int) -> str:
    """Return a text of at most `most` characters; an ellipsis replaces what is cut off."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of the items, spread evenly over them."""
    n = min(most, len(items))
    return [items[number * len(items) // n] for number in range(n)]
