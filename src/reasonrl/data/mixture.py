"""Problems of several sources in fixed shares: each source has a sampler of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from reasonrl.data.sampler import ProblemSampler, SamplerState
from reasonrl.errors import DataError
from reasonrl.types import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureState:
    """The states of all sources' samplers, and what each source is owed of a problem."""

    parts: tuple[SamplerState, ...]
    credits: tuple[float, ...]

    @property
    def epoch(self) -> int:
        """Return the epoch of the source that has come least far."""
        return min(part.epoch for part in self.parts)


class MixtureSampler:
    """An endless supply of problems in which each source has its share.

    The share of a source in any number of steps differs from its weight by less than one problem:
    what a step rounds off is owed to the next one.
    """

    def __init__(
        self, parts: Sequence[Sequence[Problem]], weights: Sequence[float], *, seeds: Sequence[int]
    ) -> None:
        total = sum(weights)
        self._shares = [weight / total for weight in weights]
        self._samplers = [
            ProblemSampler(part, seed=seed) for part, seed in zip(parts, seeds, strict=True)
        ]
        self._sizes = [len(part) for part in parts]
        self._credits = [0.0] * len(parts)

    def take(self, n: int) -> list[Problem]:
        """Return the next n problems, those of one source together.

        Raises DataError when a source has fewer problems than its share of n.
        """
        owed = [
            credit + n * share for credit, share in zip(self._credits, self._shares, strict=True)
        ]
        counts = _rounded(owed, n)
        for number, (count, size) in enumerate(zip(counts, self._sizes, strict=True)):
            if count > size:
                raise DataError(
                    f"source {number + 1} has {size} problems for a share of {count} in a step",
                    expected="at least as many problems as its share",
                    remedy="lower its weight or prompts_per_step, or add problems",
                )
        self._credits = [credit - count for credit, count in zip(owed, counts, strict=True)]
        taken = zip(self._samplers, counts, strict=True)
        return [problem for sampler, count in taken if count for problem in sampler.take(count)]

    def state(self) -> MixtureState:
        return MixtureState(
            parts=tuple(sampler.state() for sampler in self._samplers),
            credits=tuple(self._credits),
        )

    def restore(self, state: MixtureState) -> None:
        """Continue from `state`; raise DataError if it belongs to other problems or sources."""
        if len(state.parts) != len(self._samplers):
            raise DataError(
                f"the sampler's state is of {len(state.parts)} sources",
                expected=f"{len(self._samplers)}",
                remedy="resume with the recipe of the run that saved the state",
            )
        for sampler, part in zip(self._samplers, state.parts, strict=True):
            sampler.restore(part)
        self._credits = list(state.credits)


def _rounded(owed: Sequence[float], n: int) -> list[int]:
    """Return whole numbers that sum to n and are nearest to what is owed; none is negative."""
    counts = [max(0, floor(value + 1e-9)) for value in owed]
    by_rest = sorted(range(len(owed)), key=lambda index: counts[index] - owed[index])
    for index in by_rest[: max(0, n - sum(counts))]:
        counts[index] += 1
    for index in reversed(by_rest):
        if sum(counts) <= n:
            break
        counts[index] -= min(counts[index], sum(counts) - n)
    return counts
