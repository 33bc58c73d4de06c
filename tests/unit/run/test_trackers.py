"""Laws of the trackers. Those of a package run where it is installed."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest

from reasonrl.algo.stats import Estimate
from reasonrl.errors import ConfigError
from reasonrl.evaluation.score import SuiteResult
from reasonrl.run.trackers import (
    Tracker,
    TrackerName,
    evaluation_numbers,
    open_tracker,
    step_numbers,
)


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")


# these packages warn of their own dependencies while they are imported and at exit
foreign_warnings = pytest.mark.filterwarnings("ignore")


def open_in(directory: Path, name: TrackerName, *, after_step: int = 0) -> Tracker:
    return open_tracker(
        name, run_name="mine", directory=directory, config={"seed": 1}, after_step=after_step
    )


@pytest.mark.parametrize("name", get_args(TrackerName))
def test_a_missing_package_is_named_with_its_remedy(
    name: TrackerName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec(name) is not None:  # hide it, as if it were not there
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as caught:
        open_in(tmp_path, name)
    assert str(caught.value) == (
        f'trackers = ["{name}"]: the {name} package is not installed; expected a tracker whose '
        f'package is there; run `pip install "reasonrl[{name}]"`, or take it out of trackers'
    )
    assert list(tmp_path.iterdir()) == []


def test_only_numbers_of_a_step_are_logged() -> None:
    row = {"step": 3, "stage": "long", "a": 0.5, "b": 2, "c": None, "open": True, "shut": False}
    assert step_numbers(row) == {"a": 0.5, "b": 2.0, "open": 1.0, "shut": 0.0}


def test_an_evaluation_is_named_by_its_suite_and_leaves_out_what_is_not_known() -> None:
    result = SuiteResult(
        suite="aime",
        step=0,
        accuracy=Estimate(value=0.5, ci95=(0.25, 0.75)),
        accuracy_finished=None,
        truncated_share=1.0,
        mean_tokens=8.0,
        n_problems=4,
        k=2,
        temperature=1.0,
        max_new_tokens=8,
        failed=0,
    )
    assert evaluation_numbers(result) == {
        "eval/aime/accuracy": 0.5,
        "eval/aime/accuracy_low": 0.25,
        "eval/aime/accuracy_high": 0.75,
        "eval/aime/truncated_share": 1.0,
        "eval/aime/mean_tokens": 8.0,
        "eval/aime/failed": 0.0,
    }


@needs("tensorboard")
@foreign_warnings
def test_tensorboard_drops_what_a_resumed_run_does_over(tmp_path: Path) -> None:
    first = open_in(tmp_path, "tensorboard")
    for step in (1, 2, 3):
        first.log(step, {"reward/mean": step / 10})
    first.log(2, {"eval/heldout/accuracy": 0.5})
    first.close()
    second = open_in(tmp_path, "tensorboard", after_step=2)
    second.log(3, {"reward/mean": 0.75})
    second.close()

    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("reward/mean")]
    assert found == [(1, pytest.approx(0.1)), (2, pytest.approx(0.2)), (3, 0.75)]  # float32
    assert [event.step for event in events.Scalars("eval/heldout/accuracy")] == [2]


@needs("wandb")
@foreign_warnings
def test_wandb_goes_on_with_the_run_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for parent in ("one", "other"):
        directory = tmp_path / parent / "my run"
        directory.mkdir(parents=True)
        for after_step in (0, 1):
            tracker = open_in(directory, "wandb", after_step=after_step)
            tracker.log(after_step + 1, {"reward/mean": 0.5})
            tracker.close()
    ids = {path.stem for path in tmp_path.glob("*/my run/wandb/offline-run-*/run-*.wandb")}
    assert len(ids) == 2  # one for each directory, though they share a name
    assert all(one.startswith("run-my-run-") for one in ids)


@needs("trackio")
@foreign_warnings
def test_trackio_goes_on_with_the_run_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))  # read when it is imported
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)
    directory = tmp_path / "mine"
    directory.mkdir()
    for after_step in (0, 1):
        tracker = open_in(directory, "trackio", after_step=after_step)
        tracker.log(after_step + 1, {"reward/mean": 0.5})
        tracker.close()
    storage = importlib.import_module("trackio.sqlite_storage").SQLiteStorage
    (run,) = storage.get_runs("reasonrl")
    assert run.startswith("mine-")
    logged = storage.get_logs("reasonrl", run)
    assert [(row["step"], row["reward/mean"]) for row in logged] == [(1, 0.5), (2, 0.5)]
