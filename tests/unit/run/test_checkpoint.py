"""Checkpoints: whole or not at all, checked when read, the newest ones kept."""

import json

import pytest

from reasonrl.engines.fake import FakeEngine
from reasonrl.errors import CheckpointError, StorageError
from reasonrl.run import checkpoint


def saved(directory, step, *, keep=9, n_updates=0):
    engine = FakeEngine()
    engine.n_updates = n_updates
    return checkpoint.save(
        directory, step=step, state={"step": step}, write_tensors=engine.save, keep=keep
    )


def test_the_newest_checkpoint_is_loaded_and_old_ones_go(tmp_path):
    assert checkpoint.load_latest(tmp_path / "none") is None
    for step in (5, 10, 15):
        saved(tmp_path, step, keep=2)
    newest = checkpoint.load_latest(tmp_path)
    assert (newest.path.name, newest.state) == ("step-000015", {"step": 15})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000010", "step-000015"]


def test_a_step_that_is_taken_again_replaces_its_checkpoint(tmp_path):
    saved(tmp_path, 5, n_updates=1)
    path = saved(tmp_path, 5, n_updates=2)
    engine = FakeEngine()
    engine.load(checkpoint.load(path).path)
    assert engine.n_updates == 2


def test_a_changed_tensor_is_refused_with_a_way_out(tmp_path):
    path = saved(tmp_path, 5)
    file = next(path.glob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"have changed .* delete .*step-000005"):
        checkpoint.load(path)


@pytest.mark.parametrize("number", [1, 5, "4", None])
def test_other_formats_are_refused_and_older_ones_are_read(tmp_path, number):
    path = saved(tmp_path, 5)
    document = json.loads((path / "state.json").read_text())
    del document["hash"]  # formats 2 and 3 have none
    for older in (2, 3):
        (path / "state.json").write_text(json.dumps(document | {"format": older}))
        assert checkpoint.load(path).state == {"step": 5}
    (path / "state.json").write_text(json.dumps(document | {"format": number}))
    with pytest.raises(CheckpointError, match="expected format 4, or one of 2, 3"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["state"].update(step=6),
        lambda document: document.pop("hash"),
        lambda document: document.update(hash=0),
        lambda document: document.update(blake2b={}),
        lambda document: document.update(more=1),
    ],
)
def test_an_edited_state_is_refused_with_a_way_out(tmp_path, change):
    path = saved(tmp_path, 5)
    document = json.loads((path / "state.json").read_text())
    change(document)
    (path / "state.json").write_text(json.dumps(document))
    for read in (checkpoint.load, checkpoint.read_state):
        with pytest.raises(
            CheckpointError, match=r"state.json has changed .* delete .*step-000005"
        ):
            read(path)


def test_a_state_that_is_written_in_another_layout_is_the_same(tmp_path):
    path = saved(tmp_path, 5)
    document = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(document, indent=2, sort_keys=True))
    assert checkpoint.load(path).state == {"step": 5}


@pytest.mark.parametrize(
    "text", ["[]", "7", "[" * 100_000, '{"format": 3, "blake2b": {}, "state": 1}']
)
def test_what_is_no_state_is_refused_without_a_traceback(tmp_path, text):
    path = saved(tmp_path, 5)
    (path / "state.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"delete .*step-000005"):
        checkpoint.load(path)


def test_what_a_kill_left_behind_is_no_checkpoint_and_goes(tmp_path):
    (tmp_path / ".writing-000005").mkdir()
    assert checkpoint.load_latest(tmp_path) is None
    saved(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000010"]


def test_a_disk_that_is_full_leaves_the_older_checkpoint(tmp_path):
    saved(tmp_path, 5)

    def fail(_directory):
        raise OSError("no space left on device")

    with pytest.raises(StorageError, match="free space there"):
        checkpoint.save(tmp_path, step=10, state={}, write_tensors=fail, keep=2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000005"]


def test_a_learner_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(StorageError, match="no tensors"):
        checkpoint.save(tmp_path, step=1, state={}, write_tensors=lambda _: None, keep=1)
