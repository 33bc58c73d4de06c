"""How many tokens a row of the cache has room for while it grows. Imports nothing."""

from __future__ import annotations

_STEP = 64
"""Rooms are multiples of so many tokens."""

_GROWTH = 1.25
"""How much more the next room holds: rows of one room differ by a fifth at most."""


def rooms_up_to(tokens: int) -> list[int]:
    """Return the rooms that a row has in turn, until it has one for so many tokens."""
    rooms = [_STEP]
    while rooms[-1] < tokens:
        rooms.append(max(rooms[-1] + _STEP, -(-int(rooms[-1] * _GROWTH) // _STEP) * _STEP))
    return rooms
