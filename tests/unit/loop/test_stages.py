"""From one stage to the next."""

import pytest

from reasonrl.algo.entropy import EntropyState
from reasonrl.engines.fake import FakeEngine
from reasonrl.loop.stages import next_stage, open_stage, reason_to_end
from reasonrl.loop.state import StageState, initial_state
from reasonrl.recipe import Plateau
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES
from tests.unit.loop.support import problems

POOL = problems(20)


def recipe(*overrides):
    return load_recipe(RECIPES / "tiny.toml", ("rollout.prompts_per_step=6", *overrides))


def turned(given, state):
    engine, notes = FakeEngine(), []
    engine.n_steps = 5
    next_stage(given, [POOL, POOL], state, engine, notes.append)
    return engine, notes


def test_a_stage_ends_after_its_steps_or_on_a_plateau():
    stage = recipe("stage.1.steps=3").stage[0]
    assert reason_to_end(stage, StageState(step=2)) == ""
    assert reason_to_end(stage, StageState(step=3)) == "3 steps"
    flat = stage.model_copy(update={"plateau": Plateau(window=1, min_gain=0.1)})
    assert reason_to_end(flat, StageState(step=2, accuracies=[0.5, 0.5])) == "plateau"


def test_an_opened_stage_continues_where_its_sampler_stood():
    given = recipe()
    whole = open_stage(given, [POOL, POOL], StageState())
    drawn = [item.problem.id for _ in range(4) for item in whole.take(6)]
    first = open_stage(given, [POOL, POOL], StageState())
    taken = [item.problem.id for _ in range(2) for item in first.take(6)]
    second = open_stage(given, [POOL, POOL], StageState(sampler=first.sampler.state()))
    assert taken + [item.problem.id for _ in range(2) for item in second.take(6)] == drawn


def test_the_next_stage_keeps_optimizer_and_controller_unless_it_resets_them():
    given = recipe('stage.2.optimizer_state="reset"', 'stage.2.entropy_state="reset"')
    state = initial_state(given)
    state.entropy = EntropyState(c=0.5, is_open=False)
    engine, _ = turned(given, state)
    assert (engine.n_steps, state.entropy) == (0, initial_state(given).entropy)
    carried = initial_state(given)
    carried.entropy = EntropyState(c=0.5, is_open=False)
    engine, _ = turned(recipe(), carried)
    assert (engine.n_steps, carried.entropy.c) == (5, 0.5)
    assert (carried.stage.number, carried.stage.step, carried.stage.sampler) == (1, 0, None)


@pytest.mark.parametrize(("solved", "dropped"), [(3, 3), (15, 0)])
def test_solved_problems_are_dropped_unless_too_few_would_be_left(solved, dropped):
    state = initial_state(recipe())
    state.stage.last_scores = {item.problem.id: 1.0 for item in POOL[:solved]}
    state.stage.last_scores[POOL[-1].problem.id] = 0.5
    _, [note] = turned(recipe("stage.2.drop_solved=true"), state)
    assert len(state.stage.dropped) == dropped
    assert ("all are kept" in note) == (dropped == 0)
    stage = open_stage(recipe(), [POOL, POOL], state.stage)
    assert len(stage.encoded) == 20 - dropped


def test_after_the_last_stage_nothing_is_reset():
    state = initial_state(recipe('stage.2.optimizer_state="reset"'))
    state.stage = StageState(number=1)
    engine, notes = turned(recipe('stage.2.optimizer_state="reset"'), state)
    assert (state.stage.number, engine.n_steps, notes) == (2, 5, [])
