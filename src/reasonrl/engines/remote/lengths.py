"""What is known of how long completions become: so that long ones start first, and not together."""

from __future__ import annotations

import hashlib

from reasonrl.types import Tokens

_WEIGHT = 0.3  # of a new completion in the running mean
_KNOWN_PROMPTS = 200_000  # hashes kept: more than any training set of the report


class Lengths:
    """Remember the mean length of each prompt's completions. Unknown ones count like all others."""

    def __init__(self) -> None:
        self._of_prompt: dict[bytes, float] = {}
        self._of_all = 0.0

    def note(self, prompt: Tokens, length: int) -> None:
        key = _key(prompt)
        if len(self._of_prompt) < _KNOWN_PROMPTS or key in self._of_prompt:
            self._of_prompt[key] = _mean(self._of_prompt.get(key, 0.0), length)
        self._of_all = _mean(self._of_all, length)

    def expected(self, prompt: Tokens) -> float:
        """Return how many tokens a completion of this prompt will probably have."""
        return self._of_prompt.get(_key(prompt), self._of_all)


def _mean(old: float, new: float) -> float:
    return new if old == 0.0 else (1 - _WEIGHT) * old + _WEIGHT * new


def _key(prompt: Tokens) -> bytes:
    return hashlib.blake2b(prompt.tobytes(), digest_size=12).digest()
