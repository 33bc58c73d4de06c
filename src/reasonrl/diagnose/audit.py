"""Whether the record of a whole run holds together: counts, order, hashes. Reads files only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from reasonrl.diagnose.recorded import RolloutRow, read_rows, read_statuses, read_tokens
from reasonrl.errors import CheckpointError
from reasonrl.run import checkpoint
from reasonrl.run.config import read_config, taken_config
from reasonrl.run.gaps import first_gap
from reasonrl.run.layout import (
    CHECKPOINTS,
    MODEL,
    SAMPLES,
    SUMMARY,
    checkpoint_paths,
    rollouts_paths,
    samples_path,
    step_of,
)
from reasonrl.run.record import RunRecorder
from reasonrl.run.summary import read_summary
from reasonrl.types import Row

_COUNTED = {
    "rollout/sampled": lambda row: bool(row["rollout_id"]),
    "rollout/failed": lambda row: row["reward"] is None,
    "rollout/masked": lambda row: bool(row["masked"]) and row["signal"] == "kept",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What was looked at in a run, counted, and what does not hold, in words."""

    steps: int
    rollouts: int
    checkpoints: int
    faults: list[str]


def audit(run: Path, progress: Callable[[int], None]) -> Audited:
    """Return what does not hold in a run's record; CheckpointError when there is no run."""
    read_config(run)
    recorder = RunRecorder(run)
    faults, n_rollouts = list[str](), 0
    try:
        rows = recorder.metrics()
    except CheckpointError as error:
        return Audited(steps=0, rollouts=0, checkpoints=0, faults=[str(error)])
    steps = [int(str(row["step"])) for row in rows]
    if gap := first_gap(run, max(steps, default=0)):
        faults.append(gap.what)
    extra = sorted({step_of(path) for path in rollouts_paths(run)} - set(steps))
    # A run that was killed has the rollouts of a step that it did not end.
    if extra[1:] or (extra and extra[0] != max(steps, default=0) + 1):
        faults.append(f"there are rollouts of steps without a line of metrics: {extra[:5]}")
    faults += _order(rows)
    for row in rows:
        found, n = _step_faults(run, row)
        faults += found
        n_rollouts += n
        progress(1)
    faults += _evaluation_faults(run, recorder)
    faults += _hash_faults(run)
    points = checkpoint_paths(run / CHECKPOINTS)
    return Audited(steps=len(rows), rollouts=n_rollouts, checkpoints=len(points), faults=faults)


def _order(rows: list[Row]) -> Iterator[str]:
    """Yield what is wrong with the order of steps, versions and stages."""
    for before, after in pairwise(rows):
        step = after["step"]
        grown = int(str(after["version"])) - int(str(before["version"]))
        if grown != int(str(after["update/n"])):
            yield f"step {step}: version grew by {grown} in {after['update/n']} updates"


def _step_faults(run: Path, metrics: Row) -> tuple[list[str], int]:
    """Return what does not hold in one step, and its number of rollouts."""
    step = int(str(metrics["step"]))
    try:
        rows, tokens = read_rows(run, step), read_tokens(run, step)
    except CheckpointError as error:
        return [str(error)], 0
    faults = [f"step {step}: {text}" for text in (*_counts(rows, metrics), *_ids(rows, step))]
    if tokens is not None:
        trained = {
            str(row["rollout_id"]): len(row["tokens"])
            for row in rows
            if row["signal"] == "kept" and row["reward"] is not None
        }
        written = {str(row["rollout_id"]): int(row["n_tokens"]) for row in tokens}
        if trained != written:
            faults.append(f"step {step}: learner/ has other rollouts or lengths than rollouts/")
    return faults, len(rows)


def _evaluation_faults(run: Path, recorder: RunRecorder) -> Iterator[str]:
    """Yield the evaluations whose samples are not those that their line counts."""
    if not (run / SAMPLES).exists():
        return  # runs of older versions keep none
    for result in recorder.evaluations():
        where = f"evaluation of {result.suite} at step {result.step}"
        try:
            samples = read_statuses(samples_path(run, result.suite, result.step))
        except CheckpointError as error:
            yield f"{where}: {error}"
            continue
        each = Counter(name for name, _ in samples)
        if set(each) != {one.id for one in result.problems} or set(each.values()) != {result.k}:
            yield f"{where}: its samples are not {result.k} of each problem"
        elif Counter(status for _, status in samples if status) != Counter(result.statuses):
            yield f"{where}: the counts of verdicts are not those of its samples"


def _counts(rows: list[dict[str, object]], metrics: Row) -> Iterator[str]:
    """Yield the laws of counting that do not hold."""
    parts = [metrics[f"rollout/{name}"] for name in ("trained", "masked", "zero_signal", "failed")]
    if sum(int(str(part)) for part in parts) != metrics["rollout/sampled"]:
        yield (
            f"{metrics['rollout/sampled']} sampled rollouts are not trained + masked + zero-signal "
            f"+ failed = {' + '.join(map(str, parts))}"
        )
    for name, holds in _COUNTED.items():
        counted = sum(map(holds, rows))
        if counted != metrics[name]:
            yield f"{name} is {metrics[name]}, and the rollouts have {counted}"
    signals = Counter(str(row["signal"]) for row in rows if row["index"] == 0)
    for signal in ("kept", "solved", "unsolved", "flat", "failed"):
        if signals[signal] != metrics[f"groups/{signal}"]:
            yield (
                f"groups/{signal} is {metrics[f'groups/{signal}']}, and the rollouts have "
                f"{signals[signal]}"
            )
    statuses = Counter(f"verify/status/{row['status']}" for row in rows if row["status"])
    written = {key: value for key, value in metrics.items() if key.startswith("verify/status/")}
    if written and written != dict(statuses):
        yield "the counts of verify/status are not those of the rollouts"


def _ids(rows: list[dict[str, object]], step: int) -> Iterator[str]:
    """Yield what is wrong with the ids of rollouts, their order, and the lengths of their lists."""
    ids = [str(row["rollout_id"]) for row in rows]
    if len(set(ids)) < len(ids):
        yield "two rollouts have one id"
    if any(not name.startswith(f"train-{step}-") for name in ids):
        yield "a rollout has the id of another step"
    for row in rows:
        fault = _row_fault(row)
        if fault:
            yield f"{row['rollout_id']}: {fault}"


def _row_fault(row: RolloutRow) -> str:
    tokens, logprobs = row["tokens"], row["logprobs"]
    if len(tokens) != len(logprobs):
        return f"{len(tokens)} tokens have {len(logprobs)} log-probabilities"
    if any(value > 0 for value in logprobs):
        return "a log-probability is above 0"
    if not str(row["rollout_id"]).endswith(f"/{row['index']}"):
        return f"its index is {row['index']}"
    return ""


def _hash_faults(run: Path) -> Iterator[str]:
    """Yield the checkpoints, the model and the recipe that are not as they were written."""
    for path in checkpoint_paths(run / CHECKPOINTS):
        try:
            checkpoint.load(path)
        except CheckpointError as error:
            yield str(error)
    if read_config(run) != taken_config(run):
        yield "config.toml was edited since the run took it"
    summary = read_summary(run)
    model = run / MODEL / "model.safetensors"
    if summary and model.exists():
        named = summary.get("weights_sha256")
        if named and checkpoint.digest(model, "sha256") != named:
            yield f"{model} is not the model that {SUMMARY} names"
