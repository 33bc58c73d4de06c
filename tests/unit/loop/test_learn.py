"""What a learner is asked before a step's updates, and what it is given."""

import pytest

from reasonrl.engines.fake import FakeEngine
from reasonrl.engines.protocols import TokenValue
from reasonrl.errors import EngineError
from reasonrl.loop.learn import known_entropy, learn, prepare
from reasonrl.recipe import PipelineConfig, Stage
from reasonrl.terminal import silent
from tests.unit.loop.support import kept_of


class Asked(FakeEngine):
    """A fake engine that notes what it was asked for, and each update's batch."""

    def __init__(self, **options):
        super().__init__(**options)
        self.asked, self.batches = [], []

    def at_tokens(self, batch, what, *, temperature):
        self.asked.append(what)
        return super().at_tokens(batch, what, temperature=temperature)

    def update(self, batch, objective, *, learning_rate, progress=None):
        self.batches.append(batch)
        return super().update(batch, objective, learning_rate=learning_rate, progress=progress)


def stage(**tables) -> Stage:
    base = {"steps": 1, "data": {"sources": ({"type": "functions"},)}, "entropy": {"mode": "none"}}
    return Stage.model_validate(base | tables, strict=False)


def prepared(engine, settings, pipeline=None):
    return prepare(kept_of(engine), engine, settings, pipeline=pipeline, seed=1)


def test_on_policy_nothing_is_asked_before_the_update():
    engine = Asked()
    batch = prepared(engine, stage())
    assert engine.asked == []
    assert (batch.old_logprobs_N, batch.ref_logprobs_N, batch.weights_N) == (None, None, None)
    assert known_entropy(batch) is None


@pytest.mark.parametrize(
    ("tables", "asked"),
    [
        ({"update": {"minibatches": 2}}, [TokenValue.LOGPROBS]),
        ({"update": {"reuse": 2}}, [TokenValue.LOGPROBS]),
        ({"entropy": {"mode": "report"}}, [TokenValue.LOGPROBS]),
        ({"entropy": {"mode": "release"}}, []),
        ({"update": {"kl_coefficient": 0.1}}, [TokenValue.REFERENCE_LOGPROBS]),
        ({"update": {"focus": {"type": "high-entropy"}}}, [TokenValue.ENTROPIES]),
        ({"update": {"focus": {"type": "clip-cov"}}}, [TokenValue.LOGPROBS]),
    ],
)
def test_a_step_asks_for_what_its_settings_need_and_no_more(tables, asked):
    engine = Asked(keep_reference=True)
    prepared(engine, stage(**tables))
    assert engine.asked == asked


def test_groups_that_were_sampled_ahead_get_weights():
    engine = Asked()
    batch = prepared(engine, stage(), PipelineConfig(staleness=1))
    assert engine.asked == [TokenValue.LOGPROBS]
    assert batch.weights_N.tolist() == [1.0] * batch.n_tokens  # the policy has not changed


def test_minibatches_are_updated_in_turn_as_often_as_they_are_reused():
    engine = Asked()
    settings = stage(update={"minibatches": 3, "reuse": 2})
    batch = prepared(engine, settings)
    learned = learn(batch, engine, settings, alpha=0.0, step=0, phase=silent)
    assert len(learned.updates) == engine.n_updates == 6
    prompts = [[group.prompt.tolist() for group in part.groups] for part in engine.batches]
    assert prompts[:3] == prompts[3:]
    assert sum(part.n_tokens for part in engine.batches[:3]) == batch.n_tokens


def test_the_entropy_of_a_step_is_that_of_the_policy_its_updates_found():
    engine = Asked()
    learned = learn(prepared(engine, stage()), engine, stage(), alpha=0.0, step=0, phase=silent)
    assert learned.entropy_nats == pytest.approx(2.0794415)  # ln 8


def test_a_reference_that_was_not_kept_is_an_error():
    with pytest.raises(EngineError):
        prepared(FakeEngine(), stage(update={"kl_coefficient": 0.1}))
