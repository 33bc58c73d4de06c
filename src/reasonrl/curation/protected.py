"""The problems that a training set must not hold, as candidates: benchmarks, or any file.

Called by `build`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.config import MathBenchmark
from reasonrl.curation.recipe import Protected
from reasonrl.curation.rows import Candidate
from reasonrl.pools import load_source
from reasonrl.types import Problem


def load_protected(sources: Sequence[Protected]) -> list[Candidate]:
    """Return all protected problems, without what a benchmark adds to ask for an answer's form."""
    found = []
    for source in sources:
        bare = (
            source.model_copy(update={"style": "bare"})
            if isinstance(source, MathBenchmark)
            else source
        )
        found += [_candidate(problem) for problem in load_source(bare)]
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
