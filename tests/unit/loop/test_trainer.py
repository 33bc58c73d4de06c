"""The loop's own decisions: refill, drops, plateaus, failures, what a step without signal does."""

from collections.abc import Callable
from contextlib import contextmanager

import pytest

from reasonrl.algo.select import Signal
from reasonrl.data.sources import arithmetic_problems
from reasonrl.errors import VerifierError
from reasonrl.evaluation.score import SuiteResult
from reasonrl.loop.state import initial_state
from reasonrl.loop.trainer import Trainer
from reasonrl.recipe import Plateau
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.problems import encode_problems
from reasonrl.types import Status, Verdict
from tests.e2e.support import RECIPES

SMALL = ("rollout.prompts_per_step=6", "rollout.group_size=4", "stage.2.rollout.group_size=4",
         "stage.1.steps=2", "stage.2.steps=2", "suite=[]")  # fmt: skip


class Memory:
    """Record a run in lists."""

    def __init__(self) -> None:
        self.rows, self.selected = [], []

    def tokens(self, step, record) -> None:
        pass

    def rollouts(self, step, stage, selected) -> None:
        self.selected.append(selected)

    def step(self, metrics) -> None:
        self.rows.append(metrics)

    def samples(self, suite, step, rows) -> None:
        pass

    def evaluation(self, result: SuiteResult) -> None:
        raise AssertionError("these runs have no suites")

    def evaluations(self) -> list[SuiteResult]:
        return []


class Silence:
    """Show nothing but keep the notes."""

    def __init__(self) -> None:
        self.notes = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, metrics, *, total: int) -> None:
        pass

    @contextmanager
    def phase(self, name: str, total: int):
        yield lambda _done: None


@pytest.fixture
def make_trainer(make_engine):
    """Return a function: overrides and a rule from answers to rewards in, a trainer out."""

    def make(reward: Callable[[str, int], float | None], *overrides: str) -> Trainer:
        recipe = load_recipe(RECIPES / "tiny.toml", (*SMALL, *overrides))
        engine = make_engine()
        problems = arithmetic_problems(operators=["add"], max_operand=4, heldout=5)
        encoded = encode_problems(problems, engine.model.tokenizer, system_prompt=None)

        def judge(answers):
            return [
                Verdict(
                    reward=value,
                    status=Status.INFRA_ERROR if value is None else Status.CORRECT,
                )
                for number, answer in enumerate(answers)
                for value in [reward(answer.task.answer, number)]
            ]

        return Trainer(
            recipe=recipe, engine=engine, learner=engine, tokenizer=engine.model.tokenizer,
            judge=judge, pools=[encoded, encoded], suites={}, recorder=Memory(),
            display=Silence(), save=lambda _state: None, should_stop=lambda: False,
            state=initial_state(recipe),
        )  # fmt: skip

    return make


def alternate(_answer, number):
    return float(number % 2)


def test_a_step_without_signal_takes_no_update_and_leaves_the_controller_alone(make_trainer):
    trainer = make_trainer(lambda _answer, _number: 1.0)
    before = {n: v.clone() for n, v in trainer.learner.state_dict().items()}
    assert trainer.run()
    assert [row["update/n"] for row in trainer.recorder.rows] == [0] * 4
    assert [row["groups/solved"] for row in trainer.recorder.rows] == [6] * 4
    assert trainer.state.version == 0
    assert all((before[n] == v).all() for n, v in trainer.learner.state_dict().items())
    assert trainer.state.entropy == initial_state(trainer.recipe).entropy


def test_a_failed_verification_is_left_out_of_its_groups_statistics(make_trainer):
    trainer = make_trainer(lambda _answer, number: None if number % 4 == 0 else float(number % 2))
    trainer.run()
    for selected in trainer.recorder.selected:
        for item in selected:
            assert len(item.rollouts) == 3
            # rewards 1, 0, 1: mean 2/3, sample std 1/sqrt(3)
            assert item.advantages == pytest.approx((0.57735, -1.15470, 0.57735), abs=1e-4)
    assert {row["rollout/failed"] for row in trainer.recorder.rows} == {6}


def test_too_many_failed_verifications_stop_the_run(make_trainer):
    trainer = make_trainer(lambda _answer, number: None if number % 4 else 1.0)
    with pytest.raises(VerifierError, match="18 of 24 rollouts of one step could not"):
        trainer.run()


def test_a_step_that_cannot_be_judged_leaves_a_checkpoint_of_the_step_before(make_trainer):
    trainer = make_trainer(
        lambda _answer, number: None if len(trainer.recorder.rows) == 1 else float(number % 2)
    )
    saved = []
    trainer.save = lambda state: saved.append((state.step, state.stage.step))
    with pytest.raises(VerifierError):
        trainer.run()
    assert saved == [(1, 1)]


def test_a_group_without_two_judged_rollouts_is_failed(make_trainer):
    trainer = make_trainer(
        lambda _answer, number: None if number % 4 else 1.0, "verify.max_failed_share=1.0"
    )
    trainer.run()
    assert {item.signal for item in trainer.recorder.selected[0]} == {Signal.FAILED}


def test_refill_samples_until_the_step_is_full_or_the_cap_is_reached(make_trainer):
    def first_batch_flat(_answer, number):
        first_batch_flat.calls += 1
        return 0.0 if first_batch_flat.calls <= 12 else float(number % 2)

    first_batch_flat.calls = 0  # the first three groups of the first step are flat
    trainer = make_trainer(first_batch_flat, "rollout.refill_rounds=1")
    trainer.run()
    assert [row["groups/kept"] for row in trainer.recorder.rows] == [6] * 4
    assert [row["rollout/sampled"] for row in trainer.recorder.rows] == [36, 24, 24, 24]

    capped = make_trainer(lambda _answer, _number: 0.0, "rollout.refill_rounds=2")
    capped.run()
    assert [row["rollout/sampled"] for row in capped.recorder.rows] == [72] * 4


def test_the_next_stage_drops_what_was_solved_at_its_last_visit(make_trainer):
    def sixes_are_solved(answer, number):
        return 1.0 if answer == "6" else float(number % 2)

    trainer = make_trainer(sixes_are_solved, "stage.2.drop_solved=true", "stage.1.steps=4")
    trainer.run()
    visited = {item.group.problem.answer for step in trainer.recorder.selected[4:] for item in step}
    assert trainer.state.stage.number == 2
    assert "6" not in visited
    assert any("solved problems dropped" in note for note in trainer.display.notes)


def test_a_drop_that_would_leave_too_little_is_not_made(make_trainer):
    trainer = make_trainer(
        lambda _answer, _number: 1.0, "stage.2.drop_solved=true", "stage.1.steps=4"
    )
    assert trainer.run()
    assert any("all are kept" in note for note in trainer.display.notes)


def test_off_policy_minibatches_share_old_logprobs_from_before_the_first(make_trainer):
    trainer = make_trainer(
        alternate, "update.minibatches=3", "update.reuse=2", "update.learning_rate=0.01"
    )
    trainer.run()
    assert [row["update/n"] for row in trainer.recorder.rows] == [6] * 4
    assert trainer.state.version == 24
    assert all(row["update/ratio_mean"] != 1.0 for row in trainer.recorder.rows)


def test_on_policy_the_ratio_is_one_and_nothing_is_clipped(make_trainer):
    trainer = make_trainer(alternate)
    trainer.run()
    assert {row["update/ratio_mean"] for row in trainer.recorder.rows} == {1.0}
    assert {row["update/clipped_share"] for row in trainer.recorder.rows} == {0.0}


@pytest.mark.parametrize("mode", ["report", "release"])
def test_the_controller_opens_below_its_target(make_trainer, mode):
    trainer = make_trainer(
        alternate, f'entropy.mode="{mode}"', "entropy.target_nats=99", "entropy.delta=1e-3"
    )
    trainer.run()
    coefficients = [row["entropy/alpha"] for row in trainer.recorder.rows]
    assert coefficients == pytest.approx([0.0, 1e-3, 2e-3, 3e-3])


def test_a_stage_ends_when_a_window_gains_too_little():
    plateau = Plateau(window=2, min_gain=0.1)
    assert not plateau.is_reached([0.5, 0.5, 0.5])  # less than two windows
    assert plateau.is_reached([0.1, 0.5, 0.5, 0.5, 0.5])
    assert not plateau.is_reached([0.1, 0.1, 0.3, 0.3])


def test_a_stop_during_the_last_evaluations_is_not_the_end(make_trainer):
    trainer = make_trainer(alternate)
    saved, asked = [], []
    trainer.recipe = load_recipe(
        RECIPES / "tiny.toml", [*SMALL[:-1], "suite.1.k=1", "checkpoint.every=3"]
    )
    trainer.suites = {"train": trainer.pools[0]}
    trainer.save = lambda state: saved.append(state.step)
    trainer.should_stop = lambda: bool(asked)
    results = []
    trainer.recorder.evaluations = lambda: results

    def evaluate_and_ask(result):
        results.append(result)
        if result.step == 0:
            asked.append(True)

    trainer.recorder.evaluation = evaluate_and_ask
    assert not trainer.run()  # asked to stop in the first evaluation: no step was taken
    assert (saved, trainer.state.step) == ([], 0)

    asked.clear()
    step = trainer.recorder.step
    trainer.recorder.step = lambda row: (
        step(row),
        asked.append(True) if row["step"] == 2 else None,
    )
    assert not trainer.run()
    assert saved == [2]  # between checkpoints, yet nothing is lost

    trainer.recorder.step = lambda row: (
        step(row),
        asked.append(True) if row["step"] == 4 else None,
    )
    asked.clear()
    assert not trainer.run()  # all steps taken, but an evaluation is owed
    assert (saved[-1], [one.step for one in results]) == (4, [0])
    asked.clear()
    assert trainer.run()
    assert [one.step for one in results] == [0, 4]
