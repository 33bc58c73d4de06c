"""Sources in fixed shares: exact over time, and resumable."""

from __future__ import annotations

from collections import Counter

import pytest

from reasonrl.data.mixture import MixtureSampler
from reasonrl.errors import DataError
from reasonrl.types import Message, Problem

PROMPT = (Message(role="user", content="?"),)


def part(name: str, n: int) -> list[Problem]:
    return [Problem(id=f"{name}{i}", prompt=PROMPT, answer="1", source=name) for i in range(n)]


def sampler(*weights: float, sizes: tuple[int, ...] = (40, 30, 50)) -> MixtureSampler:
    parts = [part(name, size) for name, size in zip("abc", sizes, strict=False)][: len(weights)]
    return MixtureSampler(parts, weights, seeds=range(len(weights)))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.7, 0.3), (1.0, 2.0, 4.0), (0.01, 0.99, 0.5)])
@pytest.mark.parametrize("n", [1, 7, 16])
def test_shares_are_exact_to_less_than_a_problem(weights: tuple[float, ...], n: int) -> None:
    mixture = sampler(*weights)
    counts: Counter[str] = Counter()
    for step in range(1, 200):
        batch = mixture.take(n)
        assert len(batch) == n == len({problem.id for problem in batch})
        counts.update(problem.source for problem in batch)
        for name, weight in zip("abc", weights, strict=False):
            assert abs(counts[name] - step * n * weight / sum(weights)) < len(weights) - 1 + 1e-6


def test_a_restored_mixture_continues_as_if_it_had_not_stopped() -> None:
    mixture = sampler(0.7, 0.3)
    for _ in range(9):
        mixture.take(8)
    again = sampler(0.7, 0.3)
    again.restore(mixture.state())
    for _ in range(20):
        assert again.take(8) == mixture.take(8)
    assert again.state().epoch == 2
    with pytest.raises(DataError, match="is of 2 sources"):
        sampler(1.0, 1.0, 1.0).restore(mixture.state())


def test_a_source_that_is_too_small_gives_all_that_it_has() -> None:
    mixture = sampler(0.5, 0.5, sizes=(40, 3))
    for _ in range(20):
        assert Counter(problem.source for problem in mixture.take(10)) == {"a": 7, "b": 3}
    with pytest.raises(DataError, match="43 problems cannot fill a step of 44"):
        mixture.take(44)


def test_a_source_that_has_been_emptied_is_left_out() -> None:
    mixture = sampler(0.5, 0.5, sizes=(40, 0))
    assert {problem.source for problem in mixture.take(8)} == {"a"}
    again = sampler(0.5, 0.5, sizes=(40, 0))
    again.restore(mixture.state())
    assert again.take(8) == mixture.take(8)
