"""Which problems a run trains and evaluates on, by hash: `data.json` of a run.

A run that goes on with other problems than it began with would not be the same run, and nobody
would see it; so the hashes are compared on resume. A model card quotes them. Called by `launch`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reasonrl.atomic import write_atomic
from reasonrl.errors import CheckpointError
from reasonrl.recipe import Recipe, Source
from reasonrl.rollout.pools import Pools
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.run.layout import DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSet:
    """Hold one stage's or suite's problems: their sources, number and two hashes.

    `problems` is of ids, prompts as text, and answers; `prompts` of the token ids that a chat
    template made of them.
    """

    use: str
    sources: tuple[dict[str, Any], ...]
    n: int
    problems: str
    prompts: str


_SETS = TypeAdapter(tuple[ProblemSet, ...])


def problem_sets(recipe: Recipe, pools: Pools) -> tuple[ProblemSet, ...]:
    """Describe the problems of every stage and suite."""
    stages = (
        _describe(f"stage {stage.name}", stage.data.sources, pool)
        for stage, pool in zip(recipe.stage, pools.stages, strict=True)
    )
    suites = (
        _describe(f"suite {suite.name}", suite.sources, pools.suites[suite.name])
        for suite in recipe.suite
    )
    return (*stages, *suites)


def keep_manifest(directory: Path, sets: Sequence[ProblemSet]) -> None:
    """Write data.json, or hold a run to the one it has.

    Raises CheckpointError naming the first stage or suite whose problems are others now.
    """
    path = directory / DATA
    if not path.exists():
        write_atomic(path, json.dumps([asdict(one) for one in sets], indent=1) + "\n")
        return
    before = {one.use: one for one in read_manifest(directory)}
    for one in sets:
        known = before.get(one.use)
        if known is not None and (known.problems, known.prompts) != (one.problems, one.prompts):
            what = "problems" if known.problems != one.problems else "prompts' token ids"
            raise CheckpointError(
                f"the {what} of {one.use} are not those that the run began with",
                where=str(path),
                expected=f"the {known.n} problems of then, through the same chat template",
                remedy="restore the files, or start a new run",
            )


def read_manifest(directory: Path) -> tuple[ProblemSet, ...]:
    """Return what data.json says, nothing where there is none."""
    path = directory / DATA
    if not path.exists():
        return ()
    try:
        return _SETS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise CheckpointError(
            f"cannot be read: {error.errors()[0]['msg']}",
            where=str(path),
            remedy="delete it to go on without the comparison",
        ) from error


def problems_digest(encoded: Sequence[EncodedProblem]) -> str:
    """Return a hash of what is asked and expected: ids, turns, answers, in order."""
    found = hashlib.blake2b(digest_size=16)
    for item in encoded:
        turns = [[turn.role, turn.content] for turn in item.problem.prompt]
        found.update(json.dumps([item.problem.id, turns, item.problem.answer]).encode())
    return found.hexdigest()


def prompts_digest(encoded: Sequence[EncodedProblem]) -> str:
    """Return a hash of the prompts' token ids, in order."""
    found = hashlib.blake2b(digest_size=16)
    for item in encoded:
        found.update(len(item.tokens).to_bytes(4, "big") + item.tokens.tobytes())
    return found.hexdigest()


def _describe(use: str, sources: Sequence[Source], encoded: Sequence[EncodedProblem]) -> ProblemSet:
    return ProblemSet(
        use=use,
        sources=tuple(one.model_dump(mode="json", exclude_none=True) for one in sources),
        n=len(encoded),
        problems=problems_digest(encoded),
        prompts=prompts_digest(encoded),
    )
