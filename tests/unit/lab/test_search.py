"""The world of searches: what it asks, what is right, and what its teacher writes."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from reasonrl.lab.facts import Draws
from reasonrl.lab.search import ENOUGH, FILLERS, NO, YES, Search, SearchSpec, Seeker
from reasonrl.lab.world import BOX, CLOSE
from reasonrl.types import Kind, Task
from reasonrl.verify import verify

SPEC = SearchSpec()
CALM = replace(SPEC, seeker=Seeker(filler=0.0, enough=0.0, lost=0.0, blind=0.0))


def test_a_problem_has_one_right_answer_among_its_choices():
    world = SPEC.make()
    for search in islice(world.draw("test"), 200):
        right = [
            value
            for value in search.choices
            if world.facts.apply(search.operators, value) == search.target
        ]
        assert [world.answer(search)] == right
        assert 4 <= len(set(search.choices)) == len(search.choices) <= SPEC.most


def test_easy_problems_are_shorter_and_offer_less():
    easy = list(islice(SPEC.make().draw("easy", is_easy=True), 300))
    assert max(len(search.operators) for search in easy) == 2
    assert max(len(search.choices) for search in easy) == 5


def test_a_calm_teacher_tries_one_value_after_another_and_finds_the_answer():
    world = CALM.make()
    world.facts.known[:] = 1.0
    results = world.facts.results[2]
    choices = (5, 0, 7, 3)
    search = Search(operators=(2,), target=int(results[7]), choices=choices)
    assert world.ask(search) == f"h gives {results[7]} of 5 0 7 3"
    trace = world.trace(search, Draws("test"))
    assert trace == (
        f"5 h {results[5]} {NO} 0 h {results[0]} {NO} 7 h {results[7]} {YES} {CLOSE} {BOX} 7 }}"
    )
    assert verify(Task(kind=Kind.MATH, answer="7"), trace).reward == 1.0


def test_a_restless_teacher_uses_all_of_its_words_and_no_others():
    world, draws = SPEC.make(), Draws("test")
    searches = islice(world.draw("test"), 300)
    said = {word for search in searches for word in world.trace(search, draws).split()}
    assert {ENOUGH, YES, NO, *FILLERS} <= said
    assert said <= set(world.words())


@pytest.mark.parametrize("habit", ["enough", "lost", "blind"])
def test_every_habit_costs_answers(habit):
    """So that each of them can be unlearned for a reward."""
    calm = replace(CALM, facts=replace(CALM.facts, misconceptions=0.0, unsure=0.0))
    bad = replace(calm, seeker=replace(CALM.seeker, **{habit: 0.3}))
    assert share_right(bad) < share_right(calm) - 0.03


def share_right(spec):
    world, draws = spec.make(), Draws("test")
    searches = list(islice(world.draw("test"), 600))
    return np.mean([f"{BOX} {world.answer(one)} }}" in world.trace(one, draws) for one in searches])
