"""The problems that a training set must not hold, as candidates: benchmarks, or any file.

Called by `build`.
"""

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
    """Return all protected problems, without what a benchmark adds to ask for an answer's form.

    Raises DataError for a file that cannot be the benchmark: it would protect nothing.
    """
    found = []
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
                remedy="correct path or type, or protect it as type file",
            )
        found += [_candidate(problem) for problem in problems]
    return found


def _candidate(problem: Problem) -> Candidate:
    text = "\n\n".join(turn.content for turn in problem.prompt if turn.role == "user")
    return Candidate(
        uid=problem.id,
        source=problem.source,
        kind=problem.kind.value,
        problem=text,
        answer=problem.answer,
    )
