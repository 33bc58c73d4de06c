"""The problems that a training set must not contain, as candidates: benchmarks, or any file."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.curation.recipe import Protected
from reasonrl.curation.rows import Candidate
from reasonrl.errors import DataError
from reasonrl.recipe import MathBenchmark
from reasonrl.rollout.pools import load_source
from reasonrl.types import Problem

_SIZES = {"aime24": 30, "aime25": 30, "math500": 500, "humaneval": 164}


def load_protected(sources: Sequence[Protected]) -> list[Candidate]:
    """Return all protected problems, without a benchmark's instructions on the answer's form.

    Raises DataError for a file without the benchmark's number of problems: it is another file.
    """
    candidates: list[Candidate] = []
    for source in sources:
        bare = (
            source.model_copy(update={"style": "bare"})
            if isinstance(source, MathBenchmark)
            else source
        )
        problems = load_source(bare)
        if len(problems) != _SIZES.get(source.type, len(problems)):
            raise DataError(
                f"{len(problems):,} problems",
                where=str(source.path or source.type),
                expected=f"the {_SIZES[source.type]} of {source.type}",
                remedy='correct its path or type, or set type = "file" to protect any file',
            )
        candidates += [_candidate(problem) for problem in problems]
    return candidates


def _candidate(problem: Problem) -> Candidate:
    text = "\n\n".join(turn.content for turn in problem.prompt if turn.role == "user")
    return Candidate(
        uid=problem.id,
        source=problem.source,
        kind=problem.kind.value,
        problem=text,
        answer=problem.answer,
    )
