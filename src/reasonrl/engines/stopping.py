"""Texts that end a completion, found in its newest tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

_SPARE = 4
"""Tokens before a text: some tokenizers drop the space of the first token that they decode."""


class Decoder(Protocol):
    """The part of a tokenizer that turns ids into text."""

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str: ...


class StopTexts:
    """The texts of `Sampling.stop`. The token that completes a text is a completion's last."""

    def __init__(self, texts: Sequence[str], decoder: Decoder) -> None:
        self.texts, self.decoder = texts, decoder
        # A token has at least one byte of a text.
        self._reach = max((len(text.encode()) for text in texts), default=0) + _SPARE

    def are_reached(self, tokens: Sequence[int]) -> bool:
        """Return whether a text stands in the newest tokens of a completion."""
        if not self.texts:
            return False
        tail = self.decoder.decode(list(tokens[-self._reach :]), skip_special_tokens=False)
        return any(text in tail for text in self.texts)
