"""Answer keys of a run's problems that no verifier reads: refused, or left out and counted.

A problem with such a key could only be masked, rollout after rollout. Asked before a model is
loaded. `reasonrl data check` lists the same keys without a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reasonrl.errors import DataError
from reasonrl.recipe import Recipe
from reasonrl.rollout.pools import ProblemLists, list_key
from reasonrl.terminal import Console
from reasonrl.types import Problem
from reasonrl.verify import Verifier
from reasonrl.verify.keys import key_faults

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A problem whose key no verifier reads, and why."""

    problem: Problem
    reason: str

    def __str__(self) -> str:
        answer = " ".join(self.problem.answer.split())
        shown = answer if len(answer) <= 60 else f"{answer[:57]}..."
        return f"{self.problem.id}: {shown!r} ({self.reason})"


def unreadable_keys(
    recipe: Recipe, lists: ProblemLists, verifier: Verifier, console: Console
) -> frozenset[str]:
    """Return the ids of the problems that stages leave out, and say how many they are.

    Raises DataError that lists them where a stage says `data.unreadable = "fail"`. A suite keeps
    its problems, whose samples are masked; a note counts them.
    """
    found = {key: _faulty(problems, verifier) for key, problems in lists.items()}
    dropped: set[str] = set()
    for stage in recipe.stage:
        faulty = found[list_key(stage.data.sources)]
        if faulty and stage.data.unreadable == "fail":
            raise _refused(faulty, n=len(lists[list_key(stage.data.sources)]))
        dropped.update(item.problem.id for item in faulty)
    if dropped:
        by_id = {item.problem.id: item for faulty in found.values() for item in faulty}
        console.note(f"{len(dropped)} problems are left out: no verifier reads their answers")
        for name in sorted(dropped)[:_SHOWN]:
            console.note(f"  {by_id[name]}")
    for suite in recipe.suite:
        if faulty := found[list_key(suite.sources)]:
            console.note(
                f"suite {suite.name}: no verifier reads {len(faulty)} answers, whose samples count "
                f"as failed; the first: {faulty[0]}"
            )
    return frozenset(dropped)


def _faulty(problems: Sequence[Problem], verifier: Verifier) -> list[Unreadable]:
    faults = key_faults([problem.task for problem in problems], verifier)
    return [
        Unreadable(problem=problem, reason=fault)
        for problem, fault in zip(problems, faults, strict=True)
        if fault
    ]


def _refused(faulty: Sequence[Unreadable], *, n: int) -> DataError:
    shown = "; ".join(map(str, faulty[:_SHOWN]))
    more = f"; and {len(faulty) - _SHOWN} more" if len(faulty) > _SHOWN else ""
    return DataError(
        f"no verifier reads the answers of {len(faulty)} of {n} problems: {shown}{more}",
        expected="answers that the verifier can compare, or tests that it can run",
        remedy="mend these rows (`reasonrl data check RECIPE` lists all), or set "
        'data.unreadable = "drop" to train without them',
    )
