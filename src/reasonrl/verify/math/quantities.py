"""Read what stands behind a number: units, the minutes of an angle, further quantities.

`parse` extends this reader to whole answers.
"""

from __future__ import annotations

from fractions import Fraction

from reasonrl.verify.math.expressions import ENDS, ExpressionReader
from reasonrl.verify.math.lexer import Token, TokenKind, UnreadableError
from reasonrl.verify.math.number import read_unit
from reasonrl.verify.math.tree import Answer, Items, Number, Quantity

CLOCK_DIGITS = 2
_MINUTE, _SECOND = Fraction(1, 60), Fraction(1, 3600)


class QuantityReader(ExpressionReader):
    """A reader of values with their units."""

    def sees_colon(self) -> bool:
        if self._has_bars_apart:
            # In a set, a colon starts the condition.
            return False
        return self.sees(":") or (self.token.kind is TokenKind.TEXT and self.token.text == "to")

    def angle(self, degrees: Number) -> Number:
        """Read the minutes and seconds of an angle, `45°30'`; the sign of degrees comes last."""
        sign = self.token
        value, start = degrees.value, self.at
        for size, marks in ((_MINUTE, 1), (_SECOND, 2)):
            self.take()
            part = self.take().value
            if part is None or not all(self.skip("'") for _ in range(marks)):
                self.at = start
                return degrees
            value += part.value * size
            if self.token.kind is not TokenKind.NUMBER:
                break
            self.at -= 1
        # The unit is read next: it stands where the last mark stood.
        self.at -= 1
        self.replace(sign)
        return Number(value)

    def compound(self, first: Quantity) -> Answer:
        """Read further quantities: `3 ft 6 in` is a tuple, because units are not converted."""
        parts = [first]
        while self.token.kind is TokenKind.NUMBER:
            parts.append(Quantity(self.sum(), self.unit()))
        return Items("()", tuple(parts)) if len(parts) > 1 else first

    def unit(self) -> str:
        """Read the tokens up to the next separator as a unit; empty if no unit starts here."""
        is_word = self.token.kind is TokenKind.TEXT and not self.sees_colon()
        if not (is_word or self.sees("%", "°", "\\$")):
            return ""
        parts = [self.take()]
        while self.token.kind is not TokenKind.END and self.token.text not in ENDS:
            if self.token.kind is TokenKind.NUMBER and parts[-1].text not in ("^", "{"):
                break
            parts.append(self.take())
        apart = (TokenKind.TEXT, TokenKind.LETTER)
        spelled = "".join(" " + t.text if t.kind in apart else t.text for t in parts)
        unit = read_unit(f"\\text{{{spelled.removesuffix(' and')}}}")
        if unit is None:
            raise UnreadableError
        return unit


def is_sixtieth(token: Token) -> bool:
    """Return whether a token can be the minutes of a time: two digits below 60."""
    return len(token.text) == CLOCK_DIGITS and token.text.isdecimal() and int(token.text) < 60
