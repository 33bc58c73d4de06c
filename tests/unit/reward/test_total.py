"""The total of a rollout: (sum of weight x value) x (product of gates)."""

from __future__ import annotations

import pytest

from reasonrl.reward.scoring import Rewards, of_each, of_problem, of_verdict
from reasonrl.reward.total import Term, total_reward
from reasonrl.types import Score
from tests.unit.reward.support import record

TERMS = (
    Term(name="a", weight=1.0),
    Term(name="b", weight=0.5),
    Term(name="gate", is_gate=True),
    Term(name="seen", weight=0.0),
)


def scores(**values: float | None) -> dict[str, Score]:
    return {name: Score(value=value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ({"a": 1.0, "b": 1.0, "gate": 1.0, "seen": 9.0}, 1.5),
        ({"a": 1.0, "b": -2.0, "gate": 1.0, "seen": 0.0}, 0.0),
        ({"a": 1.0, "b": 1.0, "gate": 0.0, "seen": 9.0}, 0.0),
        ({"a": 1.0, "b": 1.0, "gate": 0.5, "seen": None}, 0.75),
        ({"a": None, "b": 1.0, "gate": 1.0, "seen": 1.0}, None),
        ({"a": 1.0, "b": 1.0, "gate": None, "seen": 1.0}, None),
    ],
)
def test_the_total(values: dict[str, float | None], total: float | None) -> None:
    assert total_reward(TERMS, scores(**values)) == total


def test_values_are_moved_into_the_bounds() -> None:
    term = Term(name="a", bounds=(-1.0, 1.0))
    assert term.bounded(Score(value=7.0, note="n")) == Score(value=1.0, note="n")
    assert term.bounded(Score(value=-7.0)).value == -1.0
    assert term.bounded(Score(value=None)).value is None


def test_components_see_one_rollout_or_all_of_a_problem() -> None:
    rewards = Rewards(
        terms=(Term(name="v"), Term(name="n", weight=0.1), Term(name="rank", bounds=(0.0, 1.0))),
        scorers=(
            of_verdict,
            of_each(lambda one: float(one.tokens)),
            of_problem(lambda group: [float(n) for n, _ in enumerate(group)]),
        ),
    )
    groups = [
        [record(tokens=1, right=True), record(tokens=2, right=False), record(tokens=3)],
        [record(tokens=4, right=True)],
    ]
    first, second = rewards(groups)
    assert [one.total for one in first] == pytest.approx([1.1, 1.2, None])
    assert [one.scores["rank"].value for one in first] == [0.0, 1.0, 1.0]
    assert second[0].total == pytest.approx(1.4)
