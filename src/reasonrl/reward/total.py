"""From the values of all components to the total reward of a rollout; docs/rewards.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, prod

from reasonrl.types import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A component's part in the total: its name, its weight, and whether it is a gate."""

    name: str
    weight: float = 1.0
    is_gate: bool = False
    bounds: tuple[float, float] | None = None

    @property
    def is_recorded_only(self) -> bool:
        """Return whether the component is left out of the total."""
        return self.weight == 0.0

    def bounded(self, score: Score) -> Score:
        """Return a score with its value moved into the bounds."""
        if self.bounds is None or score.value is None:
            return score
        low, high = self.bounds
        return Score(value=min(max(score.value, low), high), note=score.note)


def total_reward(terms: Sequence[Term], scores: Mapping[str, Score]) -> float | None:
    """Return (sum of weight x value over the sum terms) x (product of the gates' values).

    `scores` are bounded already. A term with weight 0 is only recorded. None where a term that
    counts has no value: the rollout is masked.
    """
    counted = [(term, scores[term.name].value) for term in terms if not term.is_recorded_only]
    if any(value is None for _, value in counted):
        return None
    values = [(term, value) for term, value in counted if value is not None]
    return fsum(term.weight * value for term, value in values if not term.is_gate) * prod(
        value for term, value in values if term.is_gate
    )
