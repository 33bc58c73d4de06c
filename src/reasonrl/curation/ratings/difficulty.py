"""How hard a problem is for one model: the share of right answers, and the decision to keep it.

The report samples 16 answers of a math problem and 8 of a program at temperature 1, and keeps
problems that are solved sometimes but not always. Most problems are decided sooner: one right and
one wrong answer are enough to keep a problem. So samples are taken in rounds, and a problem leaves
as soon as no further sample can change the decision; nothing is guessed. This module does not
sample: a `Meter` does, which `launch` provides.
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
from reasonrl.curation.recipe import DifficultyConfig, model_name
from reasonrl.curation.rows import Candidate, Fault, Reason, content_of, hash_of
from reasonrl.errors import CheckpointError
from reasonrl.reward.ledger import Ledger

WHOLE = 16
"""Attempts in which the published difficulty counts failures, as in the release."""

SLICE = 64  # problems that are measured and recorded together
_FIRST_ROUND = 4  # samples of each problem
_SAMPLING: Any = {
    **dict.fromkeys(("temperature", "max_new_tokens", "system_prompt"), True),
    "verify": {"unboxed", "deadline_s", "code"},
}
"""The keys of the recipe that an attempt and its verdict depend on, with the model and the seed."""

RIGHT, WRONG, UNJUDGED = "1", "0", "?"
"""The outcomes of an attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The samples of a problem: `right` of `judged` samples; `failed` could not be judged."""

    right: int = 0
    judged: int = 0
    failed: int = 0

    @property
    def wrong(self) -> int:
        return self.judged - self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """The outcomes of a model's attempts at a problem, in order; `problem` is a hash of it.

    Each outcome is kept, not only their counts, so that other rounds and thresholds get the same
    result from these attempts as from attempts of their own.
    """

    problem: str
    outcomes: Annotated[str, Field(pattern=r"^[01?]*$")]


class Meter(Protocol):
    """Samples and judges k answers of each problem, resumable in the directory `workplace`.

    The outcomes of a problem have the form of `Attempts`. Those for a smaller k are the first of
    those for a larger k.
    """

    @property
    def weights(self) -> str: ...

    def sample(self, rows: Sequence[Candidate], k: Sequence[int], workplace: Path) -> list[str]: ...


OpenMeter: TypeAlias = Callable[[DifficultyConfig], AbstractContextManager[Meter]]


def measure(
    rows: Sequence[Candidate],
    config: DifficultyConfig,
    meter: Meter,
    ledger: Ledger[Attempts],
    workplace: Path,
) -> list[Tally]:
    """Return the tallies of problems; attempts in the ledger are not made again."""
    hashes = [content_of(row) for row in rows]
    known = [ledger.entries.get(problem) for problem in hashes]
    outcomes = [attempts.outcomes if attempts else "" for attempts in known]
    tallies = [Tally()] * len(rows)
    undecided = list(range(len(rows)))
    for k in _rounds(config):
        wanted = {index: min(k, rollouts(rows[index], config)) for index in undecided}
        short = [index for index in undecided if len(outcomes[index]) < wanted[index]]
        if short:
            sampled = meter.sample(
                [rows[index] for index in short], [wanted[index] for index in short], workplace
            )
            for index, row_outcomes in zip(short, sampled, strict=True):
                outcomes[index] = row_outcomes
                ledger.add(Attempts(problem=hashes[index], outcomes=row_outcomes))
        for index in undecided:
            tallies[index] = _tally(outcomes[index][: wanted[index]])
        undecided = [
            index
            for index in undecided
            if k < (most := rollouts(rows[index], config))
            and not (config.early and is_certain(tallies[index], most, config))
        ]
    return tallies


def attempts_directory(directory: Path, config: DifficultyConfig, weights: str, seed: int) -> Path:
    """Return the directory of this model's attempts.

    It lies beside the steps, and its name depends only on how answers are sampled and judged, so
    other rounds and thresholds use the same attempts and cost nothing.
    """
    settings = config.model_dump(mode="json", include=_SAMPLING)
    return directory / "attempts" / hash_of([settings, weights, seed])[:16]


def open_attempts(directory: Path) -> Ledger[Attempts]:
    """Open the ledger of a model's attempts."""
    return Ledger(directory / "attempts.jsonl", Attempts, attrgetter("problem"))


def keep_weights(directory: Path, weights: str) -> None:
    """Record the weights that a step measures; raise CheckpointError if it began with others."""
    path = directory / "weights.txt"
    before = path.read_text(encoding="utf-8").strip() if path.exists() else weights
    if before != weights:
        raise CheckpointError(
            "this step began with other weights of this model",
            where=str(directory),
            remedy="restore the model, or delete this directory to measure again",
        )
    write_atomic(path, weights + "\n")


def rollouts(row: Candidate, config: DifficultyConfig) -> int:
    """Return the largest number of answers that are sampled for a problem."""
    return config.code_rollouts if row.is_code else config.math_rollouts


def is_certain(tally: Tally, n: int, config: DifficultyConfig) -> bool:
    """Return whether the samples so far decide, whatever the rest of n samples would be."""
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
    """Return the row with its failures of 16 and its counts, under the model's name.

    With fewer samples the failures are scaled, but 0 means only "always solved" and 16 only "never
    solved".
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
    rounds = [_FIRST_ROUND] if config.early and most > _FIRST_ROUND else [most]
    while rounds[-1] < most:
        rounds.append(min(2 * rounds[-1], most))
    return rounds


def _band(n: int, config: DifficultyConfig) -> tuple[int, int]:
    """Return the least and most failures of n that are kept."""
    return -(-config.lowest * n // WHOLE), config.highest * n // WHOLE


def _tally(outcomes: str) -> Tally:
    failed = outcomes.count(UNJUDGED)
    return Tally(right=outcomes.count(RIGHT), judged=len(outcomes) - failed, failed=failed)
