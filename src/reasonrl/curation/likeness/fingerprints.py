"""The fingerprints by which problems are compared: hashes of words, and MinHash signatures.

A chunk of 8,192 problems becomes a few arrays, so that a million problems can be compared in
memory. Texts are never stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from reasonrl.curation.likeness.words import is_letters, is_number, words
from reasonrl.errors import CheckpointError
from reasonrl.seeds import derive_seed

Array = npt.NDArray[np.uint64]

TEMPLATE_WORDS = 6
"""Words of language that a problem must have to be recognized without its numbers. "What is 3 + 4?"
and "What is 5 + 6?" are two problems, but "What is the remainder when 2007 is divided by 81?" is
the same problem with other numbers."""

PERMUTATIONS = 128
BAND = 4  # signature values that must agree for two problems to be compared
_SEED = 11
_NUMBER = np.uint64(derive_seed("a number"))
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """The fingerprints of N problems.

    `words_W` holds the hashes of all their words; the words of problem i are `starts[i]` to
    `starts[i + 1]`. `is_number_W` marks numbers. `exact_N` hashes all words of a problem,
    `template_N` all words except numbers (0 for a problem with too few words), `numbers_N` the
    numbers in any order. `signatures_NP` are MinHash values of words and pairs of words, with
    numbers left blank.
    """

    words_W: npt.NDArray[np.uint64]
    is_number_W: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]
    exact_N: npt.NDArray[np.uint64]
    template_N: npt.NDArray[np.uint64]
    numbers_N: npt.NDArray[np.uint64]
    signatures_NP: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.exact_N)

    def masked_W(self) -> Array:
        """Return the hashes of the words, with the same hash for every number."""
        return np.where(self.is_number_W, _NUMBER, self.words_W)

    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of words of every problem."""
        return np.diff(self.starts)

    def save(self, path: Path) -> None:
        """Write all arrays to one file, all or nothing."""
        scratch = path.with_name(f".{path.name}.writing")
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        with scratch.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        scratch.replace(path)


def load(path: Path) -> Fingerprints:
    """Return the fingerprints in a file of `save`; raise CheckpointError if it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Fingerprints(
                **{field.name: arrays[field.name] for field in fields(Fingerprints)}
            )
    except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as error:
        raise CheckpointError(
            f"cannot be read: {error}",
            where=str(path),
            expected="the fingerprints of a build",
            remedy=f"delete {path.parents[1]} to make this step again",
        ) from error


def joined(parts: Sequence[Fingerprints]) -> Fingerprints:
    """Return the fingerprints of several chunks as one record, in order."""
    offsets = np.cumsum([0, *(len(part.words_W) for part in parts[:-1])])
    starts = [part.starts[:-1] + offset for part, offset in zip(parts, offsets, strict=True)]
    total = sum(len(part.words_W) for part in parts)
    return Fingerprints(
        words_W=np.concatenate([part.words_W for part in parts]),
        is_number_W=np.concatenate([part.is_number_W for part in parts]),
        starts=np.concatenate([*starts, [total]]),
        exact_N=np.concatenate([part.exact_N for part in parts]),
        template_N=np.concatenate([part.template_N for part in parts]),
        numbers_N=np.concatenate([part.numbers_N for part in parts]),
        signatures_NP=np.concatenate([part.signatures_NP for part in parts]),
    )


def fingerprint(texts: Iterable[str]) -> Fingerprints:
    """Return the fingerprints of problems, in order."""
    rows = [words(text) for text in texts]
    hashed = _Hashes()
    words_W = np.array([hashed[word] for row in rows for word in row], dtype=np.uint64)
    is_number_W = np.array([is_number(word) for row in rows for word in row], dtype=np.bool_)
    starts = np.cumsum([0, *map(len, rows)])
    masked_W = np.where(is_number_W, _NUMBER, words_W)
    return Fingerprints(
        words_W=words_W,
        is_number_W=is_number_W,
        starts=starts,
        exact_N=np.array([_whole(row) for row in rows], dtype=np.uint64),
        template_N=np.array([_template(row) for row in rows], dtype=np.uint64),
        numbers_N=_sums(np.where(is_number_W, _mixed(words_W), np.uint64(0)), starts),
        signatures_NP=_signatures(masked_W, starts),
    )


def ngrams(words_W: Array, n: int) -> Array:
    """Return a hash of every n consecutive words: W words have W - n + 1 hashes."""
    if len(words_W) < n:
        return np.empty(0, dtype=np.uint64)
    hashes = np.zeros(len(words_W) - n + 1, dtype=np.uint64)
    for offset in range(n):
        hashes = hashes * _STEP + words_W[offset : offset + len(hashes)]
    return _mixed(hashes)


def bands(signatures_NP: npt.NDArray[np.uint32], band: int) -> Array:
    """Return a hash of band number `band` of every signature."""
    values = signatures_NP[:, band * BAND : (band + 1) * BAND].astype(np.uint64)
    hashes = np.zeros(len(values), dtype=np.uint64)
    for column in range(BAND):
        hashes = hashes * _STEP + values[:, column]
    return hashes


def _mixed(hashes: Array) -> Array:
    """Spread the bits of hashes, so that their sums are good hashes too."""
    hashes = (hashes ^ (hashes >> np.uint64(31))) * _STEP
    return hashes ^ (hashes >> np.uint64(29))


def _sums(values_W: Array, starts: npt.NDArray[np.int64]) -> Array:
    """Return the sum of the values of each problem, modulo 2**64."""
    running = np.zeros(len(values_W) + 1, dtype=np.uint64)
    np.cumsum(values_W, dtype=np.uint64, out=running[1:])
    sums_N: Array = running[starts[1:]] - running[starts[:-1]]
    return sums_N


class _Hashes(dict[str, int]):
    """The hash of each word, computed at its first use."""

    def __missing__(self, word: str) -> int:
        value = int.from_bytes(blake2b(word.encode(), digest_size=8).digest())
        self[word] = value
        return value


def _whole(row: Sequence[str]) -> int:
    return int.from_bytes(blake2b("\x1f".join(row).encode(), digest_size=8).digest())


def _template(row: Sequence[str]) -> int:
    """Return the hash of a problem without its numbers; exponents and indices stay in it."""
    if sum(map(is_letters, row)) < TEMPLATE_WORDS:
        return 0
    before = ("", *row)
    blank = [
        "\x1e" if is_number(word) and left not in "^_" else word
        for left, word in zip(before, row, strict=False)
    ]
    return _whole(blank)


def _signatures(masked_W: Array, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    from rensa import RMinHash

    pairs = ngrams(masked_W, 2)
    features: list[Array] = []
    for first, last in pairwise(starts.tolist()):
        features.append(masked_W[first:last])
        features.append(pairs[first : max(first, last - 1)])
    lengths = [len(hashes) for hashes in features]
    flat = np.concatenate(features) if features else np.empty(0, dtype=np.uint64)
    ends = np.cumsum([0, *lengths])[::2].astype(np.uint64)
    if not len(starts) > 1:
        return np.empty((0, PERMUTATIONS), dtype=np.uint32)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, ends, PERMUTATIONS, _SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)
