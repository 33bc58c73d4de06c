"""The record of a run: names of release 0.1.0, torn lines, and rewinding."""

import json

from reasonrl.run.layout import samples_paths, step_of
from reasonrl.run.record import RunRecorder


def test_metrics_of_release_0_1_0_are_read_under_todays_names(tmp_path):
    old = {"step": 1, "entropy/coefficient": 0.5, "entropy/controller": 0.25}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(old) + "\n")
    new = {"step": 1, "entropy/alpha": 0.5, "entropy/c": 0.25}
    assert RunRecorder(tmp_path).metrics() == [new]
    RunRecorder(tmp_path).rewind(1)
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == new


def test_a_torn_last_line_is_no_row(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2')
    assert RunRecorder(tmp_path).metrics() == [{"step": 1}]


def sample(step):
    return {"model": "", "suite": "heldout", "problem_id": "p", "index": 0, "text": str(step)}


def test_rewinding_drops_the_steps_after(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n')
    rollouts = tmp_path / "rollouts"
    rollouts.mkdir()
    for step in (1, 2, 3):
        (rollouts / f"step-{step:06d}.parquet").touch()
    for step in (0, 2, 4):
        RunRecorder(tmp_path).samples("heldout", step, [sample(step)])
    RunRecorder(tmp_path).rewind(2)
    assert [step_of(path) for path in samples_paths(tmp_path)] == [0, 2]
    assert [row["step"] for row in RunRecorder(tmp_path).metrics()] == [1, 2]
    assert sorted(path.stem for path in rollouts.iterdir()) == ["step-000001", "step-000002"]
