"""Read the record of a run from its directory, reduced to what measures and charts need.

Verdicts are made from reduced records alone, so that runs and what is kept of them (`kept`) are
judged alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from reasonrl.evaluation.score import SuiteResult
from reasonrl.run.record import RunRecorder
from reasonrl.run.sessions import processor_here, read_sessions, versions_here
from reasonrl.studies.record import EvaluationScore, RunOrigin, RunRecord
from reasonrl.types import Row

COLUMNS = (
    *("entropy/nats", "entropy/alpha", "accuracy/all", "accuracy/finished"),
    *("rollout/mean_tokens", "rollout/truncated_share", "rollout/sampled"),
    *("update/n", "update/kl", "update/clipped_share", "time/step_s"),
)
"""The metrics that a record holds."""

_DIGITS = 4  # significant digits of every number
# Problems are told apart in evaluations from this share of the steps on: of earlier evaluations the
# mean is enough, and a run takes half the room.
_LATE = 0.75


def read_record(directory: Path, headline: str) -> RunRecord:
    """Return the record that a run wrote; `headline` is the name of its first suite."""
    recorder = RunRecorder(directory)
    results = recorder.evaluations()
    last = max((result.step for result in results), default=0)
    scores = (_score(result, is_late=result.step >= _LATE * last) for result in results)
    return RunRecord(
        rows=[_reduced(step, row) for step, row in enumerate(recorder.metrics(), start=1)],
        evaluations=[score for score in scores if score is not None],
        headline=headline,
        origin=origin_of(directory),
    )


def rounded(value: float) -> float:
    """Return a number with the digits that records keep."""
    return float(f"{value:.{_DIGITS}g}")


def _reduced(step: int, row: Row) -> Row:
    values = {key: row.get(key) for key in COLUMNS}
    kept = {
        key: rounded(value) if isinstance(value, int | float) and isfinite(value) else None
        for key, value in values.items()
    }
    return {"step": step, **kept}


def _score(result: SuiteResult, *, is_late: bool) -> EvaluationScore | None:
    if result.accuracy is None:
        return None
    is_whole = is_late and all(problem.judged == result.k for problem in result.problems)
    return EvaluationScore(
        suite=result.suite,
        step=result.step,
        value=rounded(result.accuracy.value),
        k=result.k,
        right_P=tuple(problem.right for problem in result.problems) if is_whole else (),
    )


def origin_of(directory: Path) -> RunOrigin:
    """Return the origin that all sittings of a run share; a text is empty where they differ."""
    origins = [
        _origin(_table(one, "versions"), str(_table(one, "machine").get("processor", "")))
        for one in read_sessions(directory)
    ]
    commits, machines = {one.commit for one in origins}, {one.machine for one in origins}
    return RunOrigin(
        commit=commits.pop() if len(commits) == 1 else "",
        machine=machines.pop() if len(machines) == 1 else "",
    )


def origin_here() -> RunOrigin:
    """Return the origin of a run that would be made now."""
    return _origin(versions_here(), processor_here())


def is_made_elsewhere(directory: Path) -> bool:
    """Return whether a run that was begun has another origin than it would have now."""
    return bool(read_sessions(directory)) and origin_of(directory) != origin_here()


def _origin(versions: Mapping[str, object], processor: str) -> RunOrigin:
    """Return the commit, or else the package's version; and the processor with its libraries."""
    libraries = [f"{name} {versions.get(name)}" for name in ("torch", "python")]
    return RunOrigin(
        commit=str(versions.get("commit") or f"reasonrl-{versions.get('reasonrl')}"),
        machine=", ".join([processor, *libraries]),
    )


def _table(session: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = session.get(key)
    return found if isinstance(found, dict) else {}
