"""What the local engine promises beyond the laws that every engine keeps."""

import pytest
import torch

from reasonrl.engines.weights import Weights
from reasonrl.errors import EngineError
from reasonrl.types import Sampling
from tests.conftest import batch_of
from tests.contract.test_rollout import PLAIN


@pytest.mark.parametrize("max_rows", [1, 3, 7, 64])
def test_what_is_sampled_does_not_depend_on_the_batch(make_engine, sampled, max_rows):
    _, prompts, expected = sampled
    engine = make_engine(max_rows=max_rows)
    groups = engine.generate(prompts, Sampling(max_new_tokens=12, group_size=6))
    for group, other in zip(groups, expected, strict=True):
        assert [c.tokens.tolist() for c in group] == [c.tokens.tolist() for c in other]


def test_the_first_rollouts_to_end_are_announced_first(sampled):
    engine, prompts, _ = sampled
    lengths = []
    engine.generate(
        prompts,
        Sampling(max_new_tokens=12, group_size=6),
        on_finished=lambda _number, _index, completion: lengths.append(len(completion.tokens)),
    )
    assert lengths[:6] == sorted(lengths[:6])


def test_another_modules_weights_are_refused(make_engine):
    engine, other = make_engine(), make_engine(seed=1)
    with pytest.raises(EngineError, match="another module"):
        engine.load_weights(Weights(tensors=other.weights().tensors, version=1), version=1)


def test_an_engine_with_other_weights_takes_over_the_state_bit_for_bit(make_engine, sampled):
    engine, prompts, groups = sampled
    batch = batch_of(prompts, groups)
    engine.update(batch, PLAIN, learning_rate=1e-3)
    state = {name: value.clone() for name, value in engine.state_dict().items()}
    engine.update(batch, PLAIN, learning_rate=1e-3)
    other = make_engine(seed=5)
    other.load_state_dict(state)
    other.update(batch, PLAIN, learning_rate=1e-3)
    for name, value in engine.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
