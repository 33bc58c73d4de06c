"""How hard a problem is for one model: right answers of so many, and whether that decides.

The report samples 16 answers of a math problem and 8 of a program at temperature 1, and keeps what
is neither always solved nor never. Most problems are decided sooner: one right and one wrong answer
are enough to keep it. So samples come in rounds, and a problem leaves when its fate is certain;
nothing is guessed. Who samples is a `Meter`, given by `launch`. Called by `build`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeAlias

from pydantic import Field

from reasonrl.atomic import write_atomic
from reasonrl.curation.ratings.ledger import Ledger
from reasonrl.curation.recipe import DifficultyConfig, model_name
from reasonrl.curation.rows import Candidate, Fault, Reason, content_of, hash_of
from reasonrl.errors import CheckpointError

WHOLE = 16
"""Difficulty counts failures of so many attempts, as in the release."""

SLICE = 64  # problems that are measured and written down together
_FIRST_ROUND = 4
_ASKED: Any = {
    **dict.fromkeys(("temperature", "max_new_tokens", "system_prompt"), True),
    "verify": {"unboxed", "deadline_s", "code"},
}
"""What an attempt and its verdict depend on, beside the model and the seed."""

RIGHT, WRONG, UNJUDGED = "1", "0", "?"
"""What became of an attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Count the samples of one problem: `right` of `judged`; `failed` could not be judged."""

    right: int = 0
    judged: int = 0
    failed: int = 0

    @property
    def wrong(self) -> int:
        return self.judged - self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Hold what became of a model's attempts at the problem that `problem` hashes, in order.

    All of them and not their count, so that other rounds and thresholds find what they would have
    found alone.
    """

    problem: str
    outcomes: Annotated[str, Field(pattern=r"^[01?]*$")]


class Meter(Protocol):
    """Sample and judge k answers of each problem, resumable in a directory of its own.

    The outcomes of a problem are as in `Attempts`, and begin alike whatever k is.
    """

    @property
    def weights(self) -> str: ...

    def sample(self, rows: Sequence[Candidate], k: Sequence[int], workplace: Path) -> list[str]: ...


OpenMeter: TypeAlias = Callable[[DifficultyConfig], AbstractContextManager[Meter]]


def measure(
    rows: Sequence[Candidate],
    config: DifficultyConfig,
    meter: Meter,
    known: Ledger[Attempts],
    workplace: Path,
) -> list[Tally]:
    """Return the tallies of some problems; attempts that are known are not made again."""
    names = [content_of(row) for row in rows]
    outcomes = [one.outcomes if (one := known.entries.get(name)) else "" for name in names]
    tallies = [Tally()] * len(rows)
    waiting = list(range(len(rows)))
    for k in _rounds(config):
        wanted = {place: min(k, rollouts(rows[place], config)) for place in waiting}
        asked = [place for place in waiting if len(outcomes[place]) < wanted[place]]
        if asked:
            found = meter.sample(
                [rows[place] for place in asked], [wanted[place] for place in asked], workplace
            )
            for place, some in zip(asked, found, strict=True):
                outcomes[place] = some
                known.add(Attempts(problem=names[place], outcomes=some))
        for place in waiting:
            tallies[place] = _tally(outcomes[place][: wanted[place]])
        waiting = [
            place
            for place in waiting
            if k < (most := rollouts(rows[place], config))
            and not (config.early and is_certain(tallies[place], most, config))
        ]
    return tallies


def attempts_directory(directory: Path, config: DifficultyConfig, weights: str, seed: int) -> Path:
    """Return where the attempts of this model are kept, whatever is made of them.

    Beside the steps and named after what was asked: rounds and thresholds that change cost nothing.
    """
    asked = config.model_dump(mode="json", include=_ASKED)
    return directory / "attempts" / hash_of([asked, weights, seed])[:16]


def open_attempts(directory: Path) -> Ledger[Attempts]:
    """Open the file of a model's attempts."""
    return Ledger(directory / "attempts.jsonl", Attempts, attrgetter("problem"))


def keep_weights(directory: Path, weights: str) -> None:
    """Note whose difficulty this step measures; raise CheckpointError if it began with another."""
    path = directory / "weights.txt"
    before = path.read_text(encoding="utf-8").strip() if path.exists() else weights
    if before != weights:
        raise CheckpointError(
            "measured with other weights of this model",
            where=str(directory),
            remedy="restore the model, or delete this directory to measure anew",
        )
    write_atomic(path, weights + "\n")


def rollouts(row: Candidate, config: DifficultyConfig) -> int:
    """Return how many answers of a problem are sampled at most."""
    return config.code_rollouts if row.is_code else config.math_rollouts


def is_certain(tally: Tally, n: int, config: DifficultyConfig) -> bool:
    """Say whether the samples so far decide, whatever the rest of n would be."""
    least, most = _band(n, config)
    is_kept = tally.wrong >= least and tally.right >= n - most
    return is_kept or tally.wrong > most or tally.right > n - least


def fault_of(tally: Tally, n: int, config: DifficultyConfig) -> Fault | None:
    """Return why a problem is dropped for its difficulty, None if it is kept."""
    detail = f"{tally.right} of {tally.judged} right"
    if tally.judged < max(1, n // 2) and not is_certain(tally, n, config):
        return Fault(reason=Reason.NOT_JUDGED, detail=f"{tally.failed} of {n} could not be judged")
    least, most = _band(n if is_certain(tally, n, config) else tally.judged, config)
    if tally.wrong > most:
        return Fault(reason=Reason.TOO_HARD, detail=detail)
    if tally.wrong < least:
        return Fault(reason=Reason.TOO_EASY, detail=detail)
    return None


def with_difficulty(row: Candidate, tally: Tally, config: DifficultyConfig) -> Candidate:
    """Return the row with its failures of 16 and with its counts, under the model's name.

    Where samples were fewer, failures are scaled; 0 and 16 stand for never and always only.
    """
    if not tally.judged:
        return row
    failures = round(WHOLE * tally.wrong / tally.judged)
    if tally.wrong and tally.right:
        failures = min(max(failures, 1), WHOLE - 1)
    name = config.name or model_name(config.model)
    known = json.loads(row.difficulty) if row.difficulty else {}
    counted = json.loads(row.rollouts) if row.rollouts else {}
    return replace(
        row,
        difficulty=json.dumps({**known, name: failures}, sort_keys=True),
        rollouts=json.dumps({**counted, name: [tally.right, tally.judged]}, sort_keys=True),
    )


def _rounds(config: DifficultyConfig) -> list[int]:
    """Return the samples of a problem after each round: 4, 8, 16, ... up to all."""
    most = max(config.math_rollouts, config.code_rollouts)
    found = [_FIRST_ROUND] if config.early and most > _FIRST_ROUND else [most]
    while found[-1] < most:
        found.append(min(2 * found[-1], most))
    return found


def _band(n: int, config: DifficultyConfig) -> tuple[int, int]:
    """Return the least and most failures of n that are kept."""
    return -(-config.lowest * n // WHOLE), config.highest * n // WHOLE


def _tally(outcomes: str) -> Tally:
    failed = outcomes.count(UNJUDGED)
    return Tally(right=outcomes.count(RIGHT), judged=len(outcomes) - failed, failed=failed)
