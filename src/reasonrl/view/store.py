"""One run as a browser asks for it: steps, rollouts of a step, one rollout, a problem, a search.

Reads the Parquet files with pyarrow, columns as they are needed, and keeps the last few tables.
Everything that leaves here is plain data: text of the model stays text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reasonrl.errors import CheckpointError, DataError
from reasonrl.run.layout import learner_path, rollouts_path, rollouts_paths, step_of

Plain: TypeAlias = dict[str, Any]

_LIGHT = (
    "rollout_id", "problem_id", "index", "stop", "reward", "status", "advantage", "signal",
    "masked", "n_tokens", "text",
)  # fmt: skip
"""Columns of a list of rollouts; the text is cut to its beginning."""

_WHOLE = (
    "rollout_id", "problem_id", "index", "prompt", "prompt_turns", "text", "answer", "stop",
    "version", "reward", "status", "reason", "extracted", "verify_wall_s", "advantage", "signal",
    "masked", "n_tokens", "reward_notes",
)  # fmt: skip
_TOKENS = ("tokens", "logprobs", "version", "updates")
_HEAD = 160
"""Characters of a text in a list."""

_QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)

_AROUND = 60
"""Characters on each side of what a search found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rollouts of a step are wanted; empty and None mean all.

    `text` is looked for in the response and the id of the problem, without regard to case.
    """

    status: str = ""
    signal: str = ""
    stop: str = ""
    text: str = ""
    least_tokens: int | None = None
    most_tokens: int | None = None
    least_reward: float | None = None
    most_reward: float | None = None
    order: str = ""


def rollout_steps(run: Path) -> list[int]:
    """Return the steps whose rollouts are there."""
    return [step_of(path) for path in rollouts_paths(run)]


def rollouts(run: Path, step: int, wanted: Filter, *, offset: int, limit: int) -> Plain:
    """Return a page of the rollouts of a step that a filter lets through, and their number."""
    table = filtered(_step(run, step), wanted)
    shown = heads(table.slice(offset, limit))
    rewards = [name for name in shown.schema.names if name.startswith("reward/")]
    columns = [name for name in (*_LIGHT, *rewards) if name in shown.schema.names]
    return {
        "step": step,
        "total": table.num_rows,
        "offset": offset,
        "statuses": counts(_step(run, step), "status"),
        "signals": counts(_step(run, step), "signal"),
        "rows": shown.select(columns).to_pylist(),
    }


def group(run: Path, step: int, rollout_id: str) -> list[Plain]:
    """Return all rollouts of the group that a rollout belongs to, whole."""
    table = _step(run, step)
    name = rollout_id.rpartition("/")[0] + "/"
    mask = pc.starts_with(table["rollout_id"], name)
    rows = select(table.filter(mask), _WHOLE).to_pylist()
    return [row for row in rows if row["rollout_id"].rpartition("/")[0] + "/" == name]


def rollout(run: Path, step: int, rollout_id: str) -> Plain:
    """Return one rollout with its numbers at each token."""
    path = rollouts_path(run, step)
    table = read(path, None)
    found = table.filter(pc.equal(table["rollout_id"], rollout_id))
    if not found.num_rows:
        raise DataError(f"no rollout {rollout_id} in step {step}", where=str(path))
    row: Plain = found.slice(0, 1).to_pylist()[0]
    whole = {name: row.get(name) for name in _WHOLE}
    whole |= {name: value for name, value in row.items() if name.startswith("reward/")}
    learner = _learner_row(run, step, rollout_id)
    return {
        **whole,
        **{name: row[name] for name in _TOKENS},
        "old_logprobs": learner.get("old_logprobs"),
        "entropies": learner.get("entropies"),
    }


def problem(run: Path, problem_id: str) -> list[Plain]:
    """Return how a problem went over the run: a line for each step that drew it."""
    lines = []
    for path in rollouts_paths(run):
        table = read(path, ["problem_id", "rollout_id", "reward", "status", "signal", "stop"])
        own = table.filter(pc.equal(table["problem_id"], problem_id))
        if not own.num_rows:
            continue
        rows = own.to_pylist()
        rewards = [row["reward"] for row in rows if row["reward"] is not None]
        lines.append(
            {
                "step": step_of(path),
                "rollouts": len(rows),
                "reward": sum(rewards) / len(rewards) if rewards else None,
                "truncated": sum(row["stop"] == "length" for row in rows),
                "signal": rows[0]["signal"],
                "rollout_id": rows[0]["rollout_id"],
                "statuses": _counted(row["status"] for row in rows),
            }
        )
    return lines


def columns(run: Path) -> Plain:
    """Return quartiles of length, reward and advantage of every step, over all its rollouts."""
    paths = rollouts_paths(run)
    # Reading and sorting wait for the disk and run outside the interpreter's lock.
    with ThreadPoolExecutor() as pool:
        lines = list(pool.map(_quartiles, paths))
    names = ("n_tokens", "reward", "advantage")
    return {"step": [*map(step_of, paths)]} | {
        name: [line[place] for line in lines] for place, name in enumerate(names)
    }


def _quartiles(path: Path) -> list[list[float] | None]:
    table = _with_lengths(path, ["reward", "advantage"])
    found = []
    for name in ("n_tokens", "reward", "advantage"):
        values = pc.drop_null(table[name].combine_chunks()).to_numpy(zero_copy_only=False)
        found.append(np.quantile(values, _QUARTILES).tolist() if len(values) else None)
    return found


def search(run: Path, text: str) -> Iterator[Plain]:
    """Yield the rollouts of the whole run whose response holds a text, the newest step first."""
    for path in reversed(rollouts_paths(run)):
        table = read(path, ["rollout_id", "problem_id", "status", "reward", "text"])
        mask = pc.match_substring(table["text"], text, ignore_case=True)
        for row in table.filter(mask).to_pylist():
            whole = row.pop("text")
            place = whole.lower().find(text.lower())
            first = max(0, place - _AROUND)
            yield {
                "step": step_of(path),
                **row,
                "before": whole[first:place],
                "hit": whole[place : place + len(text)],
                "after": whole[place + len(text) : place + len(text) + _AROUND],
            }
        yield {"searched": step_of(path)}


# tables


def _step(run: Path, step: int) -> pa.Table:
    """Return the light columns of a step, with the length of each rollout."""
    path = rollouts_path(run, step)
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise DataError(f"there are no rollouts of step {step}", where=str(run)) from error
    return _cached(path, stamp)


@lru_cache(maxsize=8)
def _cached(path: Path, _stamp: int) -> pa.Table:
    schema = pq.read_schema(path)
    wanted = [name for name in (*_LIGHT, *_WHOLE) if name in schema.names and name != "n_tokens"]
    wanted += [name for name in schema.names if name.startswith("reward/")]
    return _with_lengths(path, list(dict.fromkeys(wanted)))


def _with_lengths(path: Path, names: list[str]) -> pa.Table:
    """Return columns of a file, with `n_tokens`; an older file has the tokens alone."""
    try:
        with pq.ParquetFile(path) as file:
            if "n_tokens" in file.schema_arrow.names:
                return file.read([*names, "n_tokens"], use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    table = read(path, [*names, "tokens"])
    lengths = pc.list_value_length(table["tokens"])
    return table.drop_columns(["tokens"]).append_column("n_tokens", lengths)


def heads(table: pa.Table) -> pa.Table:
    """Return a table whose texts are cut to their beginnings."""
    cut = pc.utf8_slice_codeunits(table["text"], 0, _HEAD)
    return table.set_column(table.schema.get_field_index("text"), "text", cut)


def filtered(table: pa.Table, wanted: Filter) -> pa.Table:
    """Return the rows that a filter lets through, in its order."""
    for name in ("status", "signal", "stop"):
        if value := getattr(wanted, name):
            table = table.filter(pc.equal(table[name], value))
    for name, least, most in (
        ("n_tokens", wanted.least_tokens, wanted.most_tokens),
        ("reward", wanted.least_reward, wanted.most_reward),
    ):
        if least is not None:
            table = table.filter(pc.greater_equal(table[name], least))
        if most is not None:
            table = table.filter(pc.less_equal(table[name], most))
    if wanted.text:
        in_text = pc.match_substring(table["text"], wanted.text, ignore_case=True)
        in_name = pc.match_substring(table["problem_id"], wanted.text, ignore_case=True)
        table = table.filter(pc.or_(in_text, in_name))
    key, _, way = wanted.order.partition(":")
    if key in ("n_tokens", "reward", "advantage") and key in table.schema.names:
        table = table.sort_by([(key, "descending" if way == "down" else "ascending")])
    return table


def select(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the columns of these that a table has."""
    return table.select([name for name in names if name in table.schema.names])


def counts(table: pa.Table, name: str) -> Mapping[str, int]:
    """Return how often each value of a column occurs."""
    counted = table[name].value_counts().to_pylist()
    return {str(one["values"]): one["counts"] for one in counted if one["values"] is not None}


def _counted(values: Iterator[str | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[str(value)] = counts.get(str(value), 0) + 1
    return counts


def _learner_row(run: Path, step: int, rollout_id: str) -> Plain:
    path = learner_path(run, step)
    if not path.exists():
        return {}
    table = read(path, None)
    found: list[Plain] = table.filter(pc.equal(table["rollout_id"], rollout_id)).to_pylist()
    return found[0] if found else {}


def read(path: Path, names: list[str] | None) -> pa.Table:
    """Return columns of a file, all for None; CheckpointError for a file that cannot be read."""
    try:
        return pq.read_table(path, columns=names)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"cannot be read: {error}",
        where=str(path),
        remedy="the run may be writing it; look again in a moment",
    )
