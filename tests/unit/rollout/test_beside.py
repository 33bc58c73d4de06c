"""Responses are judged while others are still sampled, with the same verdicts."""

import threading

import pytest

from reasonrl.engines.fake import FakeEngine
from reasonrl.errors import EngineError, VerifierError
from reasonrl.rollout.beside import EarlyJudge, JudgedBeside
from reasonrl.rollout.collect import collect
from reasonrl.types import Kind, Sampling, Status, Task, Verdict, VerifyItem
from tests.unit.loop.support import Letters, problems

SAMPLING = Sampling(max_new_tokens=5, group_size=4)


def item(text):
    return VerifyItem(task=Task(kind=Kind.MATH, answer="1"), response=text)


def by_length(items):
    """Judge a response by its length."""
    return [Verdict(reward=float(len(one.response)), status=Status.CORRECT) for one in items]


def sampled(judge, engine=None):
    """Return id, text and verdict of each rollout."""
    groups = collect(
        engine or FakeEngine(), Letters(), judge, problems(3), SAMPLING, seed_parts=(1, "train", 1)
    )
    return [(one.id, one.text, one.verdict) for group in groups for one in group.rollouts]


def test_the_verdicts_are_those_of_judging_afterwards():
    assert sampled(EarlyJudge(by_length)) == sampled(by_length)


def test_a_judge_works_while_the_engine_still_samples():
    asked = threading.Event()

    def judge(items):
        asked.set()
        return by_length(items)

    class Slow(FakeEngine):
        def generate(self, prompts, sampling, *, on_finished=None):
            def told(*ended):
                on_finished(*ended)
                assert asked.wait(10)

            return super().generate(prompts, sampling, on_finished=told)

    assert sampled(EarlyJudge(judge), Slow()) == sampled(by_length)


def test_an_engine_that_announces_nothing_is_judged_all_the_same():
    class Quiet(FakeEngine):
        def generate(self, prompts, sampling, *, on_finished=None):
            return super().generate(prompts, sampling)

    assert sampled(EarlyJudge(by_length), Quiet()) == sampled(by_length)


def test_any_other_judge_is_asked_once_and_in_order():
    asked = []

    def judge(items):
        asked.append((threading.current_thread(), len(items)))
        return by_length(items)

    sampled(judge)
    assert asked == [(threading.main_thread(), 12)]


def test_an_error_of_the_judge_ends_the_step():
    def broken(items):
        raise VerifierError("no sandbox")

    with pytest.raises(VerifierError, match="no sandbox"):
        sampled(EarlyJudge(broken))


def test_an_error_of_the_engine_is_the_one_that_is_raised():
    class Lost(FakeEngine):
        def generate(self, prompts, sampling, *, on_finished=None):
            super().generate(prompts, sampling, on_finished=on_finished)
            raise EngineError("lost")

    with pytest.raises(EngineError, match="lost"):
        sampled(EarlyJudge(by_length), Lost())


@pytest.mark.parametrize("wrap", [EarlyJudge, lambda judge: judge])
def test_no_question_is_larger_than_asked_for_and_each_verdict_is_noted_once(wrap):
    sizes, noted = [], {}

    def judge(items):
        sizes.append(len(items))
        return by_length(items)

    items = {n: item("x" * n) for n in range(10)}
    with JudgedBeside(wrap(judge), at_once=4, note=noted.update) as beside:
        for n in range(7):
            beside.begin(n, items[n])
        first = beside.finish({n: items[n] for n in (5, 2)})
        assert [first[n].reward for n in first] == [5.0, 2.0]
        assert [one.reward for one in beside.finish(items).values()] == list(map(float, range(10)))
    assert max(sizes) <= 4
    assert sum(sizes) == 10
    assert noted.keys() == items.keys()


def test_without_a_judge_there_are_no_verdicts():
    with JudgedBeside(None) as beside:
        beside.begin("a", item("1"))
        assert beside.finish({"a": item("1")}) == {"a": None}
