"""Hold what a step recorded against what came out, in the order in which a step makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from reasonrl.algo.select import SelectedGroup
from reasonrl.diagnose.differences import EXACT, Bounds, Compared
from reasonrl.diagnose.recorded import RolloutRow, read_rows, read_tokens
from reasonrl.diagnose.states import Opened
from reasonrl.engines.protocols import TokenRecord
from reasonrl.engines.tensor_files import tensor_distances
from reasonrl.evaluation.sample_file import SampleRow
from reasonrl.evaluation.score import SuiteResult
from reasonrl.rollout.problems import turns_of
from reasonrl.run.layout import CHECKPOINTS, LEARNER, checkpoint_paths, rollouts_path, step_of
from reasonrl.run.record import rollout_rows
from reasonrl.run.tokens import token_table
from reasonrl.types import Row, Status

_UNREPEATED = ("time/", "memory/", "sync/")
"""Metrics that a clock decides, or the distance of processes that are not there."""

_SAMPLED = ("tokens", "logprobs", "version")
_JUDGED = ("status", "reason", "extracted", "reward")
_SELECTED = ("signal", "masked")
ROUNDING_NATS = 2e-4
"""Nats between a sampled token's log-probability and its score by the same float32 module: about
four times the largest distance that was seen, in ten steps of the quickstart."""

_FLEETING = {Status.TIMEOUT, Status.INFRA_ERROR}
"""Verdicts that depend on the machine's load."""


class Capture:
    """A recorder that keeps the last step in memory."""

    def __init__(self) -> None:
        self.selected: list[SelectedGroup] = []
        self.record: TokenRecord | None = None
        self.metrics: Row = {}

    def rollouts(self, _step: int, _stage: str, selected: Sequence[SelectedGroup]) -> None:
        self.selected, self.record = list(selected), None

    def tokens(self, _step: int, record: TokenRecord) -> None:
        self.record = record

    def step(self, metrics: Row) -> None:
        self.metrics = dict(metrics)

    def samples(self, _suite: str, _step: int, rows: Sequence[SampleRow]) -> None:
        """Keep nothing: no suite is evaluated in a replay."""

    def evaluation(self, result: SuiteResult) -> None:
        """Keep nothing, for the same reason."""

    def evaluations(self) -> list[SuiteResult]:
        return []


# comparisons, in the order in which a step makes its numbers


def compare_sampler(
    comparison: Compared,
    opened: Opened,
    rows: Sequence[RolloutRow],
    bounds: Bounds,
    *,
    version: int,
) -> None:
    """Hold what was sampled against the policy before the step: scores, ends, versions."""
    for row in rows:
        where = str(row["rollout_id"])
        comparison.equal("stop", where, row["stop"], opened.stop_of(row))
        if opened.recipe.ahead is None:
            comparison.equal("version", where, row["version"], version)
    if opened.recipe.ahead is None:
        _compare_scores(comparison, opened, rows, bounds, what="logprobs")


def _compare_scores(
    comparison: Compared,
    opened: Opened,
    rows: Sequence[RolloutRow],
    bounds: Bounds,
    *,
    what: str,
) -> None:
    """Hold the sampler's log-probabilities against the scores of the policy that is loaded."""
    pairs = [
        (np.asarray(row["prompt_tokens"], np.int32), np.asarray(row["tokens"], np.int32))
        for row in rows
    ]
    temperature = opened.stage_of(rows[0]).rollout.temperature
    scores = opened.engines.rollout.score(pairs, temperature=temperature)
    nats = max(bounds.nats, ROUNDING_NATS)
    for row, score in zip(rows, scores, strict=True):
        where = str(row["rollout_id"])
        comparison.numbers(what, where, row["logprobs"], score.tolist(), nats)


def compare_step(
    comparison: Compared,
    run: Path,
    step: int,
    captured: Capture,
    metrics: Mapping[int, Row],
    rows: Sequence[RolloutRow],
    bounds: Bounds,
) -> None:
    """Hold the rollouts, the learner's numbers at tokens, and the metrics of a step.

    `metrics` are those that the run recorded, of every step.
    """
    again = [
        row
        for item in captured.selected
        for row in rollout_rows(item, turns_of(item.group.problem, None))
    ]
    for mine, other in zip(rows, again, strict=True):
        _compare_rollout(comparison, mine, other, bounds)
    _compare_tokens(comparison, run, step, captured, bounds)
    # A later version may count more than the version that recorded the run.
    known = {name for row in metrics.values() for name in row}
    counted = {
        name: value
        for name, value in _repeatable(captured.metrics).items()
        if name in known or name.startswith("verify/status/")
    }
    comparison.row(f"step {step}", _repeatable(metrics[step]), counted, bounds)


def _compare_rollout(
    comparison: Compared, mine: RolloutRow, other: Mapping[str, Any], bounds: Bounds
) -> None:
    where = str(mine["rollout_id"])
    comparison.equal("rollout_id", where, mine["rollout_id"], other["rollout_id"])
    for name in ("problem_id", "index", "prompt", "answer", "stop"):
        comparison.equal(name, where, mine[name], other[name])
    # The text is decoded from the tokens again: a difference is a fault of either.
    comparison.equal("text from tokens", where, mine["text"], other["text"])
    comparison.equal("prompt_tokens", where, mine["prompt_tokens"], _plain(other["prompt_tokens"]))
    for name in _SAMPLED:
        comparison.equal(name, where, mine[name], _plain(other[name]))
    if mine["status"] not in _FLEETING:
        names = [*_JUDGED, *(name for name in mine if name.startswith("reward/"))]
        for name in names:
            comparison.number(name, where, mine[name], other.get(name), bounds)
    comparison.number("advantage", where, mine["advantage"], other["advantage"], bounds)
    for name in _SELECTED:
        comparison.equal(name, where, mine[name], other[name])


def _compare_tokens(
    comparison: Compared, run: Path, step: int, captured: Capture, bounds: Bounds
) -> None:
    """Hold the learner's numbers at each token against those that come out."""
    known = read_tokens(run, step)
    if known is None or captured.record is None:
        if (run / LEARNER).exists():
            is_there, is_made = known is not None, captured.record is not None
            comparison.equal("learner's file", f"step {step}", is_there, is_made)
        return
    again = token_table(captured.record, "all").to_pylist()
    comparison.equal("trained rollouts", f"step {step}", len(known), len(again))
    for mine, other in zip(known, again, strict=False):
        where = str(mine["rollout_id"])
        comparison.equal("rollout_id", where, mine["rollout_id"], other["rollout_id"])
        comparison.equal("n_tokens", where, mine["n_tokens"], other["n_tokens"])
        for name in ("old_logprobs", "entropies"):
            if mine[name] is not None:
                comparison.numbers(name, where, mine[name], other[name] or [], bounds.nats)
        for name in ("old_logprob_sum", "entropy_sum"):
            comparison.number(name, where, mine[name], other[name], bounds)


def _repeatable(row: Row) -> Row:
    return {key: value for key, value in row.items() if not key.startswith(_UNREPEATED)}


def _plain(values: object) -> object:
    return values.tolist() if isinstance(values, np.ndarray) else values


def compare_weights(
    comparison: Compared, run: Path, step: int, opened: Opened, bounds: Bounds
) -> str:
    """Compare weights and optimizer state with a checkpoint of the step, if there is one."""
    points = {step_of(path): path for path in checkpoint_paths(run / CHECKPOINTS)}
    if step not in points:
        return _compare_next(comparison, run, step, opened, bounds)
    with TemporaryDirectory(prefix="reasonrl-replay-") as directory:
        opened.engines.learner.save(Path(directory))
        apart = tensor_distances(points[step], Path(directory))
    for name, distance in apart.items():
        is_far = distance > bounds.relative
        comparison.number("distance of weights", name, 0.0, distance if is_far else 0.0, EXACT)
    return f"compared with {points[step].name}"


def _compare_next(
    comparison: Compared, run: Path, step: int, opened: Opened, bounds: Bounds
) -> str:
    """Hold the weights after a step against the log-probabilities of the next step's rollouts."""
    if opened.recipe.ahead is not None or not rollouts_path(run, step + 1).exists():
        return "not compared: the run keeps no checkpoint of this step, and no next step"
    rows = read_rows(run, step + 1)
    engines = opened.engines
    engines.rollout.load_weights(engines.learner.weights(), version=opened.state.version)
    _compare_scores(comparison, opened, rows, bounds, what="next step's logprobs")
    return f"compared by the log-probabilities that step {step + 1} recorded"
