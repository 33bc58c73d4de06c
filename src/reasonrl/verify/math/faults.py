"""The two reasons why an expression has no value here."""

from __future__ import annotations


class NoValueError(Exception):
    """An expression has no value: a free symbol, a pole, an operation left to be done."""


class TooLargeError(NoValueError):
    """A value would be too large to compute."""
