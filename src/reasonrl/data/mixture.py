"""Problems of several sources in fixed shares: each source has a sampler of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reasonrl.data.sampler import ProblemSampler, SamplerState
from reasonrl.errors import DataError
from reasonrl.types import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureState:
    """The states of all sources' samplers, and what each source is owed of a problem."""

    parts: tuple[SamplerState | None, ...]
    credits: tuple[float, ...]

    @property
    def epoch(self) -> int:
        """Return the epoch of the source that has come least far."""
        return min((part.epoch for part in self.parts if part), default=0)


class MixtureSampler:
    """An endless supply of problems in which each source has its share.

    What a step rounds off is owed to the next step, so that shares are exact over many steps.
    """

    def __init__(
        self, parts: Sequence[Sequence[Problem]], weights: Sequence[float], *, seeds: Sequence[int]
    ) -> None:
        total = sum(weight for weight, part in zip(weights, parts, strict=True) if part)
        self._shares = [
            weight / total if part else 0.0 for weight, part in zip(weights, parts, strict=True)
        ]
        self._samplers = [
            ProblemSampler(part, seed=seed) if part else None
            for part, seed in zip(parts, seeds, strict=True)
        ]
        self._sizes = [len(part) for part in parts]
        self._credits = [0.0] * len(parts)

    def take(self, n: int) -> list[Problem]:
        """Return the next n problems, those of one source together.

        A source with fewer problems than its share gives all; the others fill the step, and it is
        owed the rest. Raises DataError when all sources together have fewer than n problems.
        """
        if sum(self._sizes) < n:
            raise DataError(
                f"{sum(self._sizes)} problems cannot fill a step of {n}",
                expected="at least as many problems as prompts_per_step",
                remedy="lower prompts_per_step, or add problems",
            )
        pairs = zip(self._credits, self._shares, strict=True)
        owed = [credit + n * share for credit, share in pairs]
        counts = _rounded(owed, self._sizes, n)
        self._credits = [credit - count for credit, count in zip(owed, counts, strict=True)]
        taken = zip(self._samplers, counts, strict=True)
        return [
            problem
            for sampler, count in taken
            if sampler and count
            for problem in sampler.take(count)
        ]

    def state(self) -> MixtureState:
        return MixtureState(
            parts=tuple(sampler.state() if sampler else None for sampler in self._samplers),
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
            if sampler is not None and part is not None:
                sampler.restore(part)
        self._credits = list(state.credits)


def _rounded(owed: Sequence[float], sizes: Sequence[int], n: int) -> list[int]:
    """Return whole numbers that sum to n, near to what is owed and at most the sizes.

    One problem at a time goes to the source that is owed most and has one left.
    """
    counts = [0] * len(owed)
    for _ in range(n):
        index = max(
            (index for index, size in enumerate(sizes) if counts[index] < size),
            key=lambda index: (owed[index] - counts[index], -index),
        )
        counts[index] += 1
    return counts
