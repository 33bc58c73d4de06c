"""A position in the tokens of an answer, and the moves from which every grammar rule is built.

The readers in `expressions` and `parse` extend it.
"""

from __future__ import annotations

from reasonrl.verify.math.lexer import Token, TokenKind, UnreadableError


class Cursor:
    """A position in a list of tokens. The last token is an END, which no move passes."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self.at = 0

    @property
    def token(self) -> Token:
        """Return the token at this position, without a move."""
        return self._tokens[self.at]

    @property
    def after(self) -> Token:
        """Return the token behind the current one."""
        return self._tokens[min(self.at + 1, len(self._tokens) - 1)]

    @property
    def before(self) -> str:
        """Return the text of the token before the current one; empty at the start."""
        return self._tokens[self.at - 1].text if self.at else ""

    def take(self) -> Token:
        """Return the token and move past it."""
        token = self.token
        self.at += token.kind is not TokenKind.END
        return token

    def sees(self, *texts: str) -> bool:
        """Return whether one of these signs or commands is next."""
        return self.token.text in texts and self.token.kind in (TokenKind.SIGN, TokenKind.COMMAND)

    def skip(self, text: str) -> bool:
        """Move past a sign or command if it is next; return whether it was."""
        is_next = self.sees(text)
        self.at += is_next
        return is_next

    def expect(self, text: str) -> None:
        """Move past a sign or command. Raises UnreadableError if it is not next."""
        if not self.skip(text):
            raise UnreadableError

    def replace(self, token: Token) -> None:
        """Replace the current token."""
        self._tokens[self.at] = token

    def raw_argument(self, opener: str = "{", closer: str = "}") -> str:
        """Return the spelling of a group or of one token."""
        if not self.skip(opener):
            return self.take().text
        return self.raw_argument_behind(opener, closer)

    def raw_argument_behind(self, opener: str, closer: str) -> str:
        """Return the spelling of a group whose opening sign has been read."""
        parts, depth = [], 1
        while depth:
            token = self.take()
            if token.kind is TokenKind.END:
                raise UnreadableError
            depth += (token.text == opener) - (token.text == closer)
            parts.append(token.text)
        return "".join(parts[:-1])
