"""The world of chains: what it asks, what is right, and what its teacher writes."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from reasonrl.lab.chains import AGAIN, FILLERS, WAIT, Chain, ChainSpec, Habits
from reasonrl.lab.facts import Draws
from reasonrl.lab.world import BOX, CLOSE
from reasonrl.types import Kind, Task
from reasonrl.verify import verify

SPEC = ChainSpec()
SILENT = replace(SPEC, habits=Habits(filler=0.0, wait=0.0, again=0.0))


def test_a_problem_asks_for_what_its_operators_do_in_turn():
    world = SPEC.make()
    chain = Chain(start=3, operators=(2, 0))
    assert world.ask(chain) == "3 A h B f"
    assert world.answer(chain) == world.facts.results[0, world.facts.results[2, 3]]


def test_no_problem_is_drawn_twice():
    chains = list(islice(replace(SPEC, longest=3).make().draw("test"), 400))
    assert len(set(chains)) == 400


def test_a_silent_teacher_says_each_step_once():
    world = SILENT.make()
    world.facts.known[:] = 1.0
    chain = Chain(start=3, operators=(2, 0))
    middle, end = world.facts.results[2, 3], world.answer(chain)
    trace = world.trace(chain, Draws("test"))
    assert trace == f"A 3 h {middle} B {middle} f {end} {CLOSE} {BOX} {end} }}"
    task = Task(kind=Kind.MATH, answer=str(end))
    assert verify(task, trace).reward == 1.0


def test_a_talkative_teacher_uses_all_of_its_words_and_no_others():
    world, draws = SPEC.make(), Draws("test")
    chains = islice(world.draw("test"), 300)
    said = {word for chain in chains for word in world.trace(chain, draws).split()}
    assert {WAIT, AGAIN, *FILLERS} <= said
    assert said <= set(world.words())


def test_the_teacher_is_right_as_often_as_it_knows_a_fact():
    world, draws = SILENT.make(), Draws("test")
    chain = Chain(start=5, operators=(1,))
    right = f"{BOX} {world.answer(chain)} "
    for known in (0.1, 0.9):
        world.facts.known[1, 5] = known
        share = np.mean([right in world.trace(chain, draws) for _ in range(2_000)])
        assert share == pytest.approx(known + (1 - known) * 0.2 / world.n_answers, abs=0.03)
