"""The trainer's state: what is written is read back, and so is the state of release 0.1.0."""

import json

import pytest

from reasonrl.algo.entropy import EntropyState
from reasonrl.data.sampler import SamplerState
from reasonrl.errors import CheckpointError
from reasonrl.loop.state import StageState, TrainState, read_state, write_state

SAMPLER = SamplerState(seed=3, fingerprint=9, epoch=1, position=4, deferred=(2, 0))
STATE = TrainState(
    step=11,
    version=10,
    entropy=EntropyState(c=0.003, is_open=False, start_nats=1.25),
    stage=StageState(
        number=1,
        step=4,
        sampler=SAMPLER,
        accuracies=[0.5, 0.25],
        last_scores={"a": 1.0, "b": 0.5},
        dropped=["c"],
    ),
    train_wall_s=7.5,
)
FLAT = {
    "step": 11, "stage": 1, "stage_step": 4, "version": 10, "coefficient": 0.003,
    "gate_open": False, "start_nats": 1.25, "sampler": SAMPLER.to_json(),
    "accuracies": [0.5, 0.25], "last_scores": {"a": 1.0, "b": 0.5}, "dropped": ["c"],
    "train_wall_s": 7.5,
}  # fmt: skip


def test_a_written_state_is_read_back():
    assert read_state(json.loads(json.dumps(write_state(STATE))), where="here") == STATE


def test_the_flat_state_of_release_0_1_0_is_read():
    assert read_state(FLAT, where="here") == STATE
    without = {key: value for key, value in FLAT.items() if key != "start_nats"}
    assert read_state({**without, "sampler": ""}, where="here").stage.sampler is None


def test_a_state_with_a_field_more_or_less_is_refused():
    written = write_state(STATE)
    without = {key: value for key, value in written.items() if key != "version"}
    inside = {**written, "stage": {**written["stage"], "other": 1}}
    for data in (without, inside, {**written, "other": 1}):
        with pytest.raises(CheckpointError, match="other fields than a state of this version"):
            read_state(data, where="here")


@pytest.mark.parametrize(
    "data", [{}, {"step": "x"}, FLAT | {"other": 1}, {"stage_step": 4}, FLAT | {"sampler": "{}"}]
)
def test_other_data_is_refused_with_its_checkpoint(data):
    with pytest.raises(CheckpointError, match="step-000011"):
        read_state(data, where="step-000011")
