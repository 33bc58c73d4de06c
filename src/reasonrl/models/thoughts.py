"""The marks that begin and end a thought, in the words of many models, as `<think>` and `</think>`.

A verifier grades what follows a thought, so all other code knows one pair of marks only. Models
write other pairs, often of special tokens, which decoding would drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

OPEN, CLOSE = "<think>", "</think>"

KNOWN = (
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("◁think▷", "◁/think▷"),
    ("<unused94>thought", "<unused95>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""Marks that models of 2024 to 2026 write. A pair counts for a tokenizer that has tokens for it."""


class Vocabulary(Protocol):
    """The part of a tokenizer that knows how marks are written."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...
    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str: ...
    def get_added_vocab(self) -> dict[str, int]: ...
    def get_vocab(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The marks of a thought that one tokenizer writes.

    `pairs` are (beginning, end) as text, `<think>` first. `by_first` has the marks that must be
    found by their token ids, with what stands for them, by their first id.
    """

    pairs: tuple[tuple[str, str], ...]
    by_first: dict[int, list[tuple[tuple[int, ...], str]]]

    def split(self, tokens: Sequence[int]) -> Iterator[list[int] | str]:
        """Yield the ids between marks, and for each mark `<think>` or `</think>`."""
        run: list[int] = []
        at = 0
        while at < len(tokens):
            found = self._at(tokens, at)
            if found is None:
                run.append(tokens[at])
                at += 1
                continue
            ids, mark = found
            yield run
            yield mark
            run, at = [], at + len(ids)
        yield run

    def _at(self, tokens: Sequence[int], at: int) -> tuple[tuple[int, ...], str] | None:
        for ids, mark in self.by_first.get(tokens[at], ()):
            if tuple(tokens[at : at + len(ids)]) == ids:
                return ids, mark
        return None

    def in_text(self, text: str) -> str:
        """Return a text with `<think>` and `</think>` in place of the other marks."""
        for begin, end in self.pairs[1:]:
            text = text.replace(end, CLOSE).replace(begin, OPEN)
        return text


def marks_of(vocabulary: Vocabulary, own: tuple[str, str] | None) -> Marks:
    """Return the marks of a tokenizer: known ones that it has tokens for, and a recipe's own."""
    added = set(vocabulary.get_added_vocab().values())
    known = [pair for pair in KNOWN if _are_added(pair, vocabulary, added)]
    others = [own, *known] if own is not None and own not in known else known
    by_first: dict[int, list[tuple[tuple[int, ...], str]]] = {}
    for begin, end in ((OPEN, CLOSE), *others):
        for mark, meaning in ((begin, OPEN), (end, CLOSE)):
            ids = tuple(vocabulary.encode(mark, add_special_tokens=False))
            # A mark that decoding keeps is found in the text: its tokens may join with others.
            is_dropped = vocabulary.decode(ids, skip_special_tokens=True) != mark
            if is_dropped and _is_spelled(mark, ids, vocabulary):
                by_first.setdefault(ids[0], []).append((ids, meaning))
    return Marks(pairs=((OPEN, CLOSE), *others), by_first=by_first)


def _are_added(pair: Iterable[str], vocabulary: Vocabulary, added: set[int]) -> bool:
    """Return whether each mark begins with a token that was made for it."""
    for mark in pair:
        ids = vocabulary.encode(mark, add_special_tokens=False)
        if not _is_spelled(mark, ids, vocabulary) or ids[0] not in added:
            return False
    return True


def _is_spelled(mark: str, ids: Sequence[int], vocabulary: Vocabulary) -> bool:
    """Return whether ids are a mark's own: some vocabularies have one id for all they lack."""
    text = vocabulary.decode(ids, skip_special_tokens=False)
    return bool(ids) and "".join(mark.split()) in "".join(text.split())
