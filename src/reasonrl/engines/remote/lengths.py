"""Expected lengths of completions, so that long ones start first and on different replicas."""

from __future__ import annotations

import hashlib

from reasonrl.types import Tokens

# The weight of a new completion in the running mean.
_WEIGHT = 0.3
# The most prompts that are remembered: more than any training set of the report has.
_KNOWN_PROMPTS = 200_000


class Lengths:
    """The mean length of each prompt's completions. An unknown prompt has the mean of all."""

    def __init__(self) -> None:
        self._of_prompt: dict[bytes, float] = {}
        self._of_all = 0.0

    def note(self, prompt: Tokens, length: int) -> None:
        key = _key(prompt)
        if len(self._of_prompt) < _KNOWN_PROMPTS or key in self._of_prompt:
            self._of_prompt[key] = _mean(self._of_prompt.get(key, 0.0), length)
        self._of_all = _mean(self._of_all, length)

    def expected(self, prompt: Tokens) -> float:
        """Return the expected number of tokens of a completion of this prompt."""
        return self._of_prompt.get(_key(prompt), self._of_all)


def _mean(old: float, new: float) -> float:
    return new if old == 0.0 else (1 - _WEIGHT) * old + _WEIGHT * new


def _key(prompt: Tokens) -> bytes:
    return hashlib.blake2b(prompt.tobytes(), digest_size=12).digest()
