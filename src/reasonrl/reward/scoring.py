"""All components of a recipe as one function: from rollouts to scores and totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reasonrl.reward.record import RolloutRecord
from reasonrl.reward.total import Term, total_reward
from reasonrl.types import Score

Groups: TypeAlias = Sequence[Sequence[RolloutRecord]]
"""The rollouts of several problems; those of one problem stand together."""

Scorer: TypeAlias = Callable[[Groups], list[list[Score]]]
"""A component: a score for each rollout of each group, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewarded:
    """The bounded scores of a rollout by component, and their total; None masks the rollout."""

    scores: Mapping[str, Score]
    total: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """The components of a recipe, in its order; `early` are told of a rollout as it ends."""

    terms: tuple[Term, ...]
    scorers: tuple[Scorer, ...]
    early: tuple[Callable[[RolloutRecord], None], ...] = ()

    @property
    def counted(self) -> tuple[str, ...]:
        """Return the names of the components that the total needs."""
        return tuple(term.name for term in self.terms if not term.is_recorded_only)

    @property
    def is_early(self) -> bool:
        """Return whether any component wants to be told of rollouts as they end."""
        return bool(self.early)

    def begin(self, record: RolloutRecord) -> None:
        """Tell components that can begin with one rollout alone, before its verdict is known."""
        for tell in self.early:
            tell(record)

    def __call__(self, groups: Groups) -> list[list[Rewarded]]:
        """Return scores and total of each rollout of each group."""
        columns = {
            term.name: scorer(groups) for term, scorer in zip(self.terms, self.scorers, strict=True)
        }
        return [
            [self._rewarded(columns, number, index) for index in range(len(group))]
            for number, group in enumerate(groups)
        ]

    def _rewarded(
        self, columns: Mapping[str, list[list[Score]]], number: int, index: int
    ) -> Rewarded:
        scores = {term.name: term.bounded(columns[term.name][number][index]) for term in self.terms}
        return Rewarded(scores=scores, total=total_reward(self.terms, scores))


def of_each(value: Callable[[RolloutRecord], float | None]) -> Scorer:
    """Return a component that looks at one rollout at a time."""

    def scorer(groups: Groups) -> list[list[Score]]:
        return [[Score(value=value(record)) for record in group] for group in groups]

    return scorer


def of_problem(values: Callable[[Sequence[RolloutRecord]], list[float | None]]) -> Scorer:
    """Return a component that compares the rollouts of a problem."""

    def scorer(groups: Groups) -> list[list[Score]]:
        return [[Score(value=value) for value in values(group)] for group in groups]

    return scorer


def of_verdict(groups: Groups) -> list[list[Score]]:
    """Return the verifier's rewards; a rollout that it could not judge has none."""
    return [[_verdict_score(record) for record in group] for group in groups]


def _verdict_score(record: RolloutRecord) -> Score:
    verdict = record.verdict
    if verdict is None:
        return Score(value=None, note="no verifier was asked")
    note = f"{verdict.status} {verdict.reason}".rstrip() if verdict.reward is None else ""
    return Score(value=verdict.reward, note=note)
