"""Where the entropy of a run is: by place in the answer, by verdict, by kind of token.

Entropy is estimated as the controller estimates it, by -log pi of the sampled tokens. These are in
the rollout files, so no forward pass is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from reasonrl.report.drawing.scale import spread
from reasonrl.run.layout import rollouts_paths, step_of

PARTS = 10
"""Number of equally long parts of an answer."""

# Enough for a picture, whatever the size of the run.
_MOST_STEPS, _MOST_ROLLOUTS = 24, 512
_COLUMNS = ["tokens", "logprobs", "reward", "stop"]
_REFLECTIONS = frozenset(
    (
        "wait", "again", "alternatively", "hm", "hmm", "actually", "check", "recheck", "verify",
        "maybe", "perhaps", "however", "but", "so", "ok", "okay", "let",
    )
)  # fmt: skip
RIGHT, WRONG, TRUNCATED = "right", "wrong", "truncated"
NUMBER, REFLECTION, WORD, SYMBOL = "numbers", "reflection", "other words", "symbols"


class EntropyProfile(BaseModel):
    """Mean entropies, in nats per token, at some steps of a run; None where there is no token.

    `by_verdict` and `by_class` have a value for each of `steps`. `by_place` has, for the first and
    the last of the steps, a value for each tenth of an answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[int, ...]
    by_verdict: dict[str, tuple[float | None, ...]]
    by_class: dict[str, tuple[float | None, ...]]
    by_place: dict[int, tuple[float | None, ...]]


def read_profile(directory: Path, word_of: Callable[[int], str]) -> EntropyProfile | None:
    """Measure a run's rollouts at some of its steps; return None if the run has no rollouts.

    `word_of` returns the text of a token as its tokenizer writes it.
    """
    paths = _with_both_ends(rollouts_paths(directory), _MOST_STEPS)
    if not paths:
        return None
    kinds: dict[int, str] = {}
    verdicts: list[Mapping[str, float | None]] = []
    classes: list[Mapping[str, float | None]] = []
    places: list[tuple[float | None, ...]] = []
    for path in paths:
        rows = _some_rows(path)
        verdicts.append(_by_verdict(rows))
        classes.append(_by_class(rows, kinds, word_of))
        places.append(_by_place(rows))
    steps = tuple(step_of(path) for path in paths)
    return EntropyProfile(
        steps=steps,
        by_verdict=_columns(verdicts, (RIGHT, WRONG, TRUNCATED)),
        by_class=_columns(classes, (NUMBER, REFLECTION, WORD, SYMBOL)),
        by_place={steps[0]: places[0], steps[-1]: places[-1]},
    )


def _some_rows(path: Path) -> list[dict[str, Any]]:
    """Read some rollouts of a step; the others never become Python objects."""
    table = pq.read_table(path, columns=_COLUMNS)
    rows: list[dict[str, Any]] = table.take(spread(range(len(table)), _MOST_ROLLOUTS)).to_pylist()
    return rows


def _with_both_ends(paths: Sequence[Path], most: int) -> list[Path]:
    n = min(most, len(paths))
    return [paths[round(number * (len(paths) - 1) / max(1, n - 1))] for number in range(n)]


def class_of(word: str) -> str:
    """Return the kind of a token by its text, without the word boundaries that tokenizers mark."""
    bare = word.strip("\u0120\u2581 ").lower()
    if bare.isdigit():
        return NUMBER
    if bare in _REFLECTIONS:
        return REFLECTION
    return WORD if bare.isalpha() else SYMBOL


def _by_verdict(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    logprobs: dict[str, list[float]] = {RIGHT: [], WRONG: [], TRUNCATED: []}
    for row in rows:
        if row["stop"] == "length":
            logprobs[TRUNCATED] += row["logprobs"]
        elif row["reward"] is not None:
            logprobs[RIGHT if row["reward"] == 1.0 else WRONG] += row["logprobs"]
    return {verdict: _entropy(values) for verdict, values in logprobs.items()}


def _by_class(
    rows: Sequence[Mapping[str, Any]], kinds: dict[int, str], word_of: Callable[[int], str]
) -> dict[str, float | None]:
    logprobs: dict[str, list[float]] = {}
    for row in rows:
        for token, logprob in zip(row["tokens"], row["logprobs"], strict=True):
            if token not in kinds:
                kinds[token] = class_of(word_of(token))
            logprobs.setdefault(kinds[token], []).append(logprob)
    return {kind: _entropy(values) for kind, values in logprobs.items()}


def _by_place(rows: Sequence[Mapping[str, Any]]) -> tuple[float | None, ...]:
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for row in rows:
        n = len(row["logprobs"])
        for position, logprob in enumerate(row["logprobs"]):
            parts[position * PARTS // n].append(logprob)
    return tuple(_entropy(part) for part in parts)


def _entropy(logprobs: Sequence[float]) -> float | None:
    return -float(np.mean(logprobs, dtype=np.float64)) if logprobs else None


def _columns(
    rows: Sequence[Mapping[str, float | None]], names: Sequence[str]
) -> dict[str, tuple[float | None, ...]]:
    return {name: tuple(row.get(name) for row in rows) for name in names}
