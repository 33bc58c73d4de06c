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
    return list(_files(run))


def samples(run: Path, suite: str, step: int, wanted: Filter, *, offset: int, limit: int) -> Plain:
    """Return a page of the samples of a suite at a step, and their number."""
    table = _table(run, suite, step)
    found = filtered(table, wanted)
    return {
        "suite": suite,
        "step": step,
        "steps": [at for name, at in evaluated(run) if name == suite],
        "total": found.num_rows,
        "offset": offset,
        "statuses": counts(table, "status"),
        "rows": select(heads(found.slice(offset, limit)), _LIGHT).to_pylist(),
    }


def problem_samples(run: Path, suite: str, step: int, problem_id: str) -> Plain:
    """Return all samples of a problem at a step, and its mean reward at every evaluated step."""
    own = _of_problem(_table(run, suite, step), problem_id)
    if not own.num_rows:
        raise DataError(f"{suite} has no problem {problem_id} at step {step}", where=str(run))
    components = [name for name in own.schema.names if name.startswith("reward/")]
    history = []
    for (name, at), path in _files(run).items():
        if name == suite:
            rewards = _of_problem(read(path, ["problem_id", "reward"]), problem_id)["reward"]
            history.append({"step": at, "reward": pc.mean(rewards).as_py()})
    return {"samples": select(own, (*_WHOLE, *components)).to_pylist(), "history": history}


def _of_problem(table: pa.Table, problem_id: str) -> pa.Table:
    return table.filter(pc.equal(table["problem_id"], problem_id))


def _table(run: Path, suite: str, step: int) -> pa.Table:
    # The name of a suite comes from the browser: it is looked up, and never joined to a path.
    path = _files(run).get((suite, step))
    if path is None:
        raise DataError(f"there are no samples of {suite} at step {step}", where=str(run))
    return read(path, None)


def _files(run: Path) -> dict[tuple[str, int], Path]:
    return {(path.parent.name, step_of(path)): path for path in samples_paths(run)}
