r"""Compare two sums, products or integrals part by part: bounds, then what stands behind them.

`\sum_{k=1}^{n} k` is not `\sum_{k=1}^{n-1} k`, which needs no algebra to tell. The name of the
index has no meaning. Called by `answer`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPERATOR = re.compile(
    r"\\(?P<name>sum|prod|int)\s?_\s?(?:\{(?P<low>[^{}]{1,80})\}|(?P<one>\w))\s?\^\s?"
    r"(?:\{(?P<high>[^{}]{1,80})\}|(?P<other>\\?\w+?))(?![\w{}])\s?(?P<body>[^=]{1,400})"
)
_INDEX = re.compile(r"\s?([a-zA-Z])\s?=\s?(.+)")
_DIFFERENTIAL = re.compile(r"(.+?)\s?(?:\\,)?\s?d\s?([a-zA-Z])\s?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BigOperation:
    """A sum, a product or an integral with its bounds, its body and the name of its index."""

    name: str
    low: str
    high: str
    body: str
    index: str

    def body_with(self, index: str) -> str:
        """Return the body with another name for the index."""
        name = rf"(?<![A-Za-z\\]){re.escape(self.index)}(?![A-Za-z])"
        return re.sub(name, index, self.body)


def read_operation(text: str) -> BigOperation | None:
    """Return the sum, product or integral that a whole clean text is; None for any other text."""
    match = _OPERATOR.fullmatch(text.strip())
    if match is None or "\\sum" in match["body"] or "\\int" in match["body"]:
        return None
    low, high, body = match["low"] or match["one"], match["high"] or match["other"], match["body"]
    if match["name"] == "int":
        inner = _DIFFERENTIAL.fullmatch(body)
        return inner and BigOperation(name="int", low=low, high=high, body=inner[1], index=inner[2])
    counted = _INDEX.fullmatch(low)
    return counted and BigOperation(
        name=match["name"], low=counted[2], high=high, body=body, index=counted[1]
    )
