"""The order in which problems train, which survives a restart, and the difficulty filter.

Does not load problems, tokenize or sample completions. `loop.trainer` uses the sampler,
`rollout.pools` the filter.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass

from reasonrl.data.permutation import permutation
from reasonrl.errors import DataError
from reasonrl.types import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerState:
    """The state of a sampler. `position` and `deferred` are indices into order and problem list.

    `fingerprint` identifies the problems and their order: a state of other problems is refused.
    """

    seed: int
    fingerprint: int
    epoch: int
    position: int
    deferred: tuple[int, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> SamplerState:
        """Return the state in a text of `to_json`; raise DataError for any other text."""
        try:
            fields = json.loads(text)
            state = SamplerState(**{**fields, "deferred": tuple(fields["deferred"])})
        except (ValueError, TypeError, KeyError) as error:
            raise _bad_state(f"cannot be read: {error}") from error
        numbers = (state.seed, state.fingerprint, state.epoch, state.position, *state.deferred)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise _bad_state("contains values other than whole numbers >= 0")
        return state


class ProblemSampler:
    """An endless supply of problems in epochs, each a permutation from (seed, epoch) alone.

    After any number of calls of `take` the counts of two problems differ by at most 1.
    """

    def __init__(self, problems: Sequence[Problem], *, seed: int) -> None:
        _check_ids(problems)
        self._problems = tuple(problems)
        self._seed = seed
        self._fingerprint = _fingerprint([problem.id for problem in problems])
        self._epoch = self._position = 0
        self._order = permutation(len(problems), seed=seed, stream=0)
        # The indices of problems that this epoch skipped and must still serve.
        self._deferred: list[int] = []

    def take(self, n: int) -> list[Problem]:
        """Return the next n problems, all different.

        At the end of an epoch its last problems come first, then those of the next epoch. A problem
        that is already in the batch is deferred to the start of the next batch. Raise DataError if
        n is below 1 or above the number of problems.
        """
        self._check_fits(n)
        batch = self._draw(n, taken=frozenset())
        if len(batch) < n:
            self._start_next_epoch()
            batch += self._draw(n - len(batch), taken=frozenset(batch))
        return [self._problems[index] for index in batch]

    def state(self) -> SamplerState:
        return SamplerState(
            seed=self._seed,
            fingerprint=self._fingerprint,
            epoch=self._epoch,
            position=self._position,
            deferred=tuple(self._deferred),
        )

    def restore(self, state: SamplerState) -> None:
        """Continue from `state`; raise DataError if its problems or its seed are different."""
        if state.fingerprint != self._fingerprint:
            raise _bad_state("belongs to other problems, or to these in another order")
        if state.seed != self._seed:
            raise _bad_state(f"has seed {state.seed}, the run has seed {self._seed}")
        order = permutation(len(self._problems), seed=self._seed, stream=state.epoch)
        deferred = list(state.deferred)
        if state.position > len(order) or not set(deferred) <= set(order[: state.position]):
            raise _bad_state("points outside its epoch")
        self._epoch, self._order = state.epoch, order
        self._position, self._deferred = state.position, deferred

    def _start_next_epoch(self) -> None:
        self._epoch += 1
        self._order = permutation(len(self._problems), seed=self._seed, stream=self._epoch)
        # Nothing is deferred now, because `_draw` serves deferred problems first.
        self._position = 0

    def _draw(self, n: int, *, taken: AbstractSet[int]) -> list[int]:
        """Return up to n indices of this epoch, fewer only at its end.

        Indices in `taken` are deferred.
        """
        drawn, self._deferred = self._deferred[:n], self._deferred[n:]
        while len(drawn) < n and self._position < len(self._order):
            index = self._order[self._position]
            self._position += 1
            (self._deferred if index in taken else drawn).append(index)
        return drawn

    def _check_fits(self, n: int) -> None:
        if n < 1:
            raise DataError(
                f"{n} problems asked for",
                expected="at least 1",
                remedy="set prompts_per_step to 1 or more",
            )
        if n > len(self._problems):
            raise DataError(
                f"{len(self._problems)} problems cannot fill a step of {n}",
                expected="at least as many problems as prompts_per_step",
                remedy=f"set prompts_per_step to {len(self._problems)} or less, or add problems",
            )


def filter_difficulty(
    problems: Sequence[Problem], model: str, minimum: int = 1, maximum: int = 15
) -> list[Problem]:
    """Return the problems that `model` failed `minimum` to `maximum` times of 16, in order.

    1 to 15 is the filter of the release: it removes problems that are never or always solved. Raise
    DataError if a problem has no difficulty for `model`, or if no problem is left.
    """
    rated = [problem for problem in problems if model in problem.difficulty]
    if len(rated) < len(problems):
        models = sorted({name for problem in problems for name in problem.difficulty})
        first = next(problem for problem in problems if model not in problem.difficulty)
        raise DataError(
            f'no difficulty for "{model}" in {len(problems) - len(rated)} of {len(problems)}'
            f' problems, the first is "{first.id}"',
            expected=f"one of the models found: {', '.join(models) or 'none'}",
            remedy="name one of these models, or remove the difficulty filter",
        )
    left = [problem for problem in rated if minimum <= problem.difficulty[model] <= maximum]
    if not left:
        raise DataError(
            f'none of {len(problems)} problems has difficulty {minimum} to {maximum} for "{model}"',
            expected="at least one such problem",
            remedy="widen the bounds",
        )
    return left


def _check_ids(problems: Sequence[Problem]) -> None:
    if not problems:
        raise DataError(
            "no problems", expected="at least one to sample from", remedy="check the filters"
        )
    repeated = [name for name, n in Counter(problem.id for problem in problems).items() if n > 1]
    if repeated:
        raise DataError(
            f'{len(repeated)} ids occur more than once, the first is "{repeated[0]}"',
            expected="unique ids, because seeds and records depend on them",
            remedy="remove the repeated problems, or give each source its own ids",
        )


def _fingerprint(ids: Sequence[str]) -> int:
    """Return 63 bits that identify these ids in this order."""
    digest = hashlib.blake2b(json.dumps(list(ids)).encode("ascii"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _bad_state(what: str) -> DataError:
    return DataError(
        f"the sampler's state {what}",
        expected="a state saved by a run with the same problems and seed",
        remedy="resume with the recipe and the data of the run that saved the state",
    )
