"""A place in the tokens of an answer, and the moves that every rule of the grammar is made of.

Called by `expressions` and `parse`, whose readers extend it.
"""

from __future__ import annotations

from reasonrl.verify.math.lexer import Token, TokenKind, UnreadableError


class Cursor:
    """Hold the place in the tokens; the last one is an END, which is never passed."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self.at = 0

    @property
    def token(self) -> Token:
        """Return the token at this place, without a move."""
        return self._tokens[self.at]

    @property
    def after(self) -> Token:
        """Return the token behind this one."""
        return self._tokens[min(self.at + 1, len(self._tokens) - 1)]

    @property
    def before(self) -> str:
        """Return the text of the token that was taken last."""
        return self._tokens[self.at - 1].text if self.at else ""

    def take(self) -> Token:
        """Return the token and move past it."""
        token = self.token
        self.at += token.kind is not TokenKind.END
        return token

    def sees(self, *texts: str) -> bool:
        """Say whether one of these signs or commands is next."""
        return self.token.text in texts and self.token.kind in (TokenKind.SIGN, TokenKind.COMMAND)

    def skip(self, text: str) -> bool:
        """Move past a sign or command if it is next, and say whether it was."""
        found = self.sees(text)
        self.at += found
        return found

    def expect(self, text: str) -> None:
        """Move past a sign or command. Raises UnreadableError if it is not next."""
        if not self.skip(text):
            raise UnreadableError

    def replace(self, token: Token) -> None:
        """Put another token in this one's place."""
        self._tokens[self.at] = token

    def raw_argument(self, opener: str = "{", closer: str = "}") -> str:
        """Return the spelling of a group or of one token."""
        if not self.skip(opener):
            return self.take().text
        parts, depth = [], 1
        while depth:
            token = self.take()
            if token.kind is TokenKind.END:
                raise UnreadableError
            depth += (token.text == opener) - (token.text == closer)
            parts.append(token.text)
        return "".join(parts[:-1])
