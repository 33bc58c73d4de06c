"""The samples of a run's evaluations as a browser asks for them: a suite at a step, one problem."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reasonrl.errors import DataError
from reasonrl.run.layout import samples_paths, step_of
from reasonrl.view.store import Filter, Plain, counts, filtered, heads, read, select

_LIGHT = ("problem_id", "index", "stop", "reward", "status", "n_tokens", "text")
_WHOLE = (
    "problem_id", "index", "prompt", "text", "answer", "n_tokens", "stop", "reward", "status",
    "reason", "extracted", "tests", "verify_wall_s", "reward_notes",
)  # fmt: skip


def evaluated(run: Path) -> list[tuple[str, int]]:
    """Return each suite and step whose samples are there, by suite."""
    return [(path.parent.name, step_of(path)) for path in samples_paths(run)]


def samples(run: Path, suite: str, step: int, wanted: Filter, *, offset: int, limit: int) -> Plain:
    """Return a page of the samples of a suite at a step, and their number."""
    files = _files(run, suite)
    table = read(_at(files, run, suite, step), list(_LIGHT))
    found = filtered(table, wanted)
    return {
        "suite": suite,
        "step": step,
        "steps": list(files),
        "total": found.num_rows,
        "offset": offset,
        "statuses": counts(table, "status"),
        "rows": heads(found.slice(offset, limit)).to_pylist(),
    }


def problem_samples(run: Path, suite: str, step: int, problem_id: str) -> Plain:
    """Return all samples of a problem at a step, and its mean reward at every evaluated step."""
    files = _files(run, suite)
    own = _of_problem(read(_at(files, run, suite, step), None), problem_id)
    if not own.num_rows:
        raise DataError(f"{suite} has no problem {problem_id} at step {step}", where=str(run))
    components = [name for name in own.schema.names if name.startswith("reward/")]
    history = []
    for at, path in files.items():
        rewards = _of_problem(read(path, ["problem_id", "reward"]), problem_id)["reward"]
        history.append({"step": at, "reward": pc.mean(rewards).as_py()})
    return {"samples": select(own, (*_WHOLE, *components)).to_pylist(), "history": history}


def _of_problem(table: pa.Table, problem_id: str) -> pa.Table:
    return table.filter(pc.equal(table["problem_id"], problem_id))


def _files(run: Path, suite: str) -> dict[int, Path]:
    """Return the files of a suite by step.

    The name of a suite comes from the browser: it is compared, and never joined to a path.
    """
    return {step_of(path): path for path in samples_paths(run) if path.parent.name == suite}


def _at(files: dict[int, Path], run: Path, suite: str, step: int) -> Path:
    if step not in files:
        raise DataError(f"there are no samples of {suite} at step {step}", where=str(run))
    return files[step]
