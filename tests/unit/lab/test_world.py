"""The miniature's world: what is true in it, what the teacher makes of it, how that is told."""

from itertools import islice

import numpy as np
import pytest

from reasonrl.lab import problems
from reasonrl.lab.traces import AGAIN, BOX, CLOSE, FILLERS, WAIT, Habits, vocabulary, write_trace
from reasonrl.lab.world import Chain, Draws, WorldSpec, answer, draw_chains, make_world, question
from reasonrl.types import Kind, Task
from reasonrl.verify import verify

SPEC = WorldSpec()
SILENT = Habits(filler=0.0, wait=0.0, again=0.0)


def test_a_world_is_the_same_every_time():
    one, other = make_world(SPEC), make_world(SPEC)
    for name in ("results", "mistakes", "known", "checked"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    # drawn from raw bits: these stay what they are on every machine and version
    assert one.results[0, :4].tolist() == [11, 10, 6, 15]


def test_every_operator_permutes_the_values_and_every_mistake_is_one():
    world = make_world(SPEC)
    for row in world.results:
        assert sorted(row) == list(range(SPEC.values))
    assert (world.mistakes != world.results).all()
    assert (world.checked >= world.known).all()


def test_facts_are_known_well_badly_or_wrongly_in_the_shares_asked_for():
    world = make_world(WorldSpec(operators=8, values=500))
    assert np.mean(world.known < 0.05) == pytest.approx(SPEC.misconceptions, abs=0.03)
    assert np.mean((world.known > 0.2) & (world.known < 0.9)) == pytest.approx(0.2, abs=0.03)
    assert world.known.max() < 1


def test_a_problem_asks_for_what_its_operators_do_in_turn():
    world = make_world(SPEC)
    chain = Chain(start=3, operators=(2, 0))
    assert question(chain) == "3 A h B f"
    assert answer(world, chain) == world.results[0, world.results[2, 3]]


def test_no_problem_is_drawn_twice():
    chains = list(islice(draw_chains(WorldSpec(longest=3), "test"), 400))
    assert len(set(chains)) == 400


def test_a_silent_teacher_says_each_step_once():
    world = make_world(SPEC)
    world.known[:] = 1.0
    chain = Chain(start=3, operators=(2, 0))
    middle, end = world.results[2, 3], answer(world, chain)
    trace = write_trace(world, chain, SILENT, Draws("test"))
    assert trace == f"A 3 h {middle} B {middle} f {end} {CLOSE} {BOX} {end} }}"
    task = Task(kind=Kind.MATH, answer=str(end))
    assert verify(task, trace).reward == 1.0


def test_a_talkative_teacher_uses_all_of_its_words_and_no_others():
    world, draws = make_world(SPEC), Draws("test")
    chains = islice(draw_chains(SPEC, "test"), 300)
    said = {word for one in chains for word in write_trace(world, one, Habits(), draws).split()}
    assert {WAIT, AGAIN, *FILLERS} <= said
    assert said <= set(vocabulary(SPEC))


def test_the_teacher_is_right_as_often_as_it_knows_a_fact():
    world, draws = make_world(SPEC), Draws("test")
    chain = Chain(start=5, operators=(1,))
    right = f"{BOX} {answer(world, chain)} "
    for known in (0.1, 0.9):
        world.known[1, 5] = known
        share = np.mean([right in write_trace(world, chain, SILENT, draws) for _ in range(2_000)])
        assert share == pytest.approx(known + (1 - known) * 0.2 / SPEC.values, abs=0.03)


def test_files_share_no_problem_and_noisy_keys_are_all_wrong():
    world = make_world(SPEC)
    sizes = problems.Sizes(train=60, easy=40, noisy=30, heldout=20)
    files = problems.draw_problems(SPEC, world, sizes)
    asked = [one.prompt[0].content for some in files.values() for one in some]
    assert len(asked) == len(set(asked)) == 150
    spoiled = problems.spoil(files[problems.NOISY], SPEC)
    for before, after in zip(files[problems.NOISY], spoiled, strict=True):
        assert after.answer != before.answer
        assert 0 <= int(after.answer) < SPEC.values
