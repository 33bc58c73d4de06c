"""The problems that a run trains and evaluates on, by hash: `data.json` of a run.

A resumed run with other problems would silently be another run, so the hashes are compared on
resume. A model card quotes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from reasonrl.atomic import read_record, write_atomic
from reasonrl.errors import CheckpointError
from reasonrl.recipe import Recipe, Source
from reasonrl.rollout.pools import Pools
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.run.layout import DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSet:
    """The problems of a stage or suite: their sources, their number `n` and four hashes.

    `problems` is the hash of ids, prompts as text, and answers; `prompts` is the hash of the token
    ids that the chat template made of the prompts. `ids` and `answers` tell what has changed where
    `problems` differs; `columns` is the hash of the rest that rewards may look at. `dropped` are
    the ids that a stage left out because no verifier reads their answers. `repeated` counts the
    problems whose prompt an earlier problem of the set has too.
    """

    use: str
    sources: tuple[dict[str, Any], ...]
    n: int
    problems: str
    prompts: str
    ids: str = ""
    answers: str = ""
    columns: str = ""
    dropped: tuple[str, ...] = ()
    repeated: int = 0

    def differs_from(self, other: ProblemSet) -> bool:
        """Return whether other problems are meant; a hash that an older run lacks says nothing."""
        has_other_columns = bool(self.columns) and self.columns != other.columns
        return (self.problems, self.prompts) != (other.problems, other.prompts) or has_other_columns


_SETS = TypeAdapter(tuple[ProblemSet, ...])


def problem_sets(recipe: Recipe, pools: Pools) -> tuple[ProblemSet, ...]:
    """Describe the problems of every stage and suite."""
    stages = (
        _describe(f"stage {stage.name}", stage.data.sources, pool, tuple(sorted(pools.dropped)))
        for stage, pool in zip(recipe.stage, pools.stages, strict=True)
    )
    suites = (
        _describe(f"suite {suite.name}", suite.sources, pools.suites[suite.name])
        for suite in recipe.suite
    )
    return (*stages, *suites)


def keep_manifest(
    directory: Path, sets: Sequence[ProblemSet], *, has_new_suites: bool = False
) -> None:
    """Write data.json; when it exists, compare it with the problems of today.

    With `has_new_suites` the problems of suites may differ, and are written again. Raises
    CheckpointError for the first stage or suite whose problems have changed.
    """
    path = directory / DATA
    if path.exists():
        compared = [item for item in sets if not (has_new_suites and item.use.startswith("suite "))]
        check_same(read_manifest(directory), compared, where=str(path), origin=directory)
    if has_new_suites or not path.exists():
        write_atomic(path, json.dumps([asdict(item) for item in sets], indent=1) + "\n")


def check_same(
    before: Iterable[ProblemSet], sets: Iterable[ProblemSet], *, where: str, origin: Path
) -> None:
    """Raise CheckpointError for the first use whose problems are not those of before.

    `origin` is the run that the problems belong to.
    """
    by_use = {item.use: item for item in before}
    for item in sets:
        known = by_use.get(item.use)
        if known is not None and known.differs_from(item):
            raise CheckpointError(
                f"{item.use}: {_difference(known, item)} since the run began",
                where=where,
                expected=f"the same {known.n} problems and chat template as at the run's start",
                remedy="restore the files, or begin another run from this one's weights: "
                f"`reasonrl train RECIPE --from {origin}`",
            )


def _difference(before: ProblemSet, now: ProblemSet) -> str:
    """Return what has changed between two sets of problems, in words."""
    if before.n != now.n:
        return f"there are {now.n} problems and no longer {before.n}"
    if before.problems == now.problems and before.prompts == now.prompts:
        return "other columns, which rewards may look at, have changed"
    if before.problems == now.problems:
        return "the chat template makes other token ids of the prompts"
    if not before.ids:
        return "the problems have changed"
    parts = [("ids", before.ids != now.ids), ("answers", before.answers != now.answers)]
    changed = [name for name, is_changed in parts if is_changed]
    return f"the {' and '.join(changed) or 'texts of the prompts'} have changed"


def read_manifest(directory: Path) -> tuple[ProblemSet, ...]:
    """Return the problem sets in data.json; empty when there is no such file."""
    path = directory / DATA
    if not path.exists():
        return ()
    return read_record(
        path,
        _SETS,
        expected="the problem sets of a run",
        remedy="delete the file to resume without the comparison",
    )


def problems_digest(encoded: Sequence[EncodedProblem]) -> str:
    """Return a hash of problems: their ids, turns and answers, in order."""
    return _digest(
        [
            item.problem.id,
            [[turn.role, turn.content] for turn in item.problem.prompt],
            item.problem.answer,
        ]
        for item in encoded
    )


def _columns_of(item: EncodedProblem) -> str:
    """Return what a reward function sees of a problem besides its prompt and answer."""
    problem = item.problem
    parts = [str(problem.kind), problem.source, dict(problem.difficulty), problem.extra]
    return json.dumps(parts, sort_keys=True, default=str)


def _digest(values: Iterable[object]) -> str:
    """Return a hash of JSON values, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(json.dumps(value).encode())
    return digest.hexdigest()


def prompts_digest(encoded: Sequence[EncodedProblem]) -> str:
    """Return a hash of the prompts' token ids, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for item in encoded:
        digest.update(len(item.tokens).to_bytes(4, "big") + item.tokens.tobytes())
    return digest.hexdigest()


def _describe(
    use: str,
    sources: Sequence[Source],
    encoded: Sequence[EncodedProblem],
    dropped: tuple[str, ...] = (),
) -> ProblemSet:
    return ProblemSet(
        use=use,
        sources=tuple(item.model_dump(mode="json", exclude_none=True) for item in sources),
        n=len(encoded),
        problems=problems_digest(encoded),
        prompts=prompts_digest(encoded),
        ids=_digest(item.problem.id for item in encoded),
        answers=_digest(item.problem.answer for item in encoded),
        columns=_digest(map(_columns_of, encoded)),
        dropped=dropped,
        repeated=len(encoded) - len({item.tokens.tobytes() for item in encoded}),
    )
