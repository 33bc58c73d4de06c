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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias

from pydantic import TypeAdapter, ValidationError

from reasonrl.atomic import write_atomic
from reasonrl.curation.recipe import DifficultyConfig, model_name
from reasonrl.curation.rows import Candidate, Fault, Reason
from reasonrl.errors import CheckpointError

WHOLE = 16
"""Difficulty counts failures of so many attempts, as in the release."""

SLICE = 64  # problems that are measured and written down together
_FIRST_ROUND = 4


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
class Measured:
    """Hold the tallies of a slice of problems, in order, and whose they are."""

    weights: str
    tallies: tuple[Tally, ...]


class Meter(Protocol):
    """Sample and judge k answers of each problem, resumable in a directory of its own."""

    @property
    def weights(self) -> str: ...

    def sample(
        self, rows: Sequence[Candidate], k: Sequence[int], workplace: Path
    ) -> list[Tally]: ...


OpenMeter: TypeAlias = Callable[[DifficultyConfig], AbstractContextManager[Meter]]


def measure(
    rows: Sequence[Candidate], config: DifficultyConfig, meter: Meter, directory: Path, key: str
) -> list[Tally]:
    """Return the tallies of a slice; what is on disk already is not sampled again.

    Raises CheckpointError if that was measured with other weights.
    """
    path = directory / f"{key}.json"
    if path.exists():
        return list(_read(path, meter.weights).tallies)
    tallies = [Tally()] * len(rows)
    waiting = list(range(len(rows)))
    for k in _rounds(config):
        asked = [rows[place] for place in waiting]
        wanted = [min(k, rollouts(row, config)) for row in asked]
        found = meter.sample(asked, wanted, directory / key)
        for place, tally in zip(waiting, found, strict=True):
            tallies[place] = tally
        waiting = [
            place
            for place in waiting
            if k < (most := rollouts(rows[place], config))
            and not (config.early and is_certain(tallies[place], most, config))
        ]
        if not waiting:
            break
    directory.mkdir(parents=True, exist_ok=True)
    measured = Measured(weights=meter.weights, tallies=tuple(tallies))
    write_atomic(path, json.dumps(asdict(measured)) + "\n")
    return tallies


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


def _read(path: Path, weights: str) -> Measured:
    try:
        found = TypeAdapter(Measured).validate_json(path.read_bytes())
    except ValidationError as error:
        raise CheckpointError(
            f"no tallies of a build: {error.errors()[0]['msg']}",
            where=str(path),
            remedy="delete it to measure these problems anew",
        ) from error
    if found.weights != weights:
        raise CheckpointError(
            "measured with other weights of this model",
            where=str(path),
            remedy=f"restore the model, or delete {path.parent} to measure anew",
        )
    return found
