"""Write the training set: Parquet in the schema of Skywork-OR1-RL-Data, mixed and split.

Splits go by what a problem says, not by where it stands, so a row stays on its side when others
come or go. Called by `build`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.curation.recipe import PublishConfig
from reasonrl.curation.rows import Candidate, read_kept
from reasonrl.errors import ConfigError
from reasonrl.seeds import derive_seed

_MESSAGE = pa.struct([("content", pa.string()), ("role", pa.string())])
_LOAD = 1 << 63  # seeds are below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Count a published file."""

    file: str
    rows: int
    sources: dict[str, int]


def publish(
    chunks: Iterable[Path], directory: Path, config: PublishConfig, *, seed: int
) -> list[Published]:
    """Write one file a kind and split, all or nothing each; raise ConfigError for unknown mixes."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [row for chunk in chunks for row in read_kept(chunk)]
    if unknown := config.mix.keys() - {row.source for row in rows}:
        raise ConfigError(
            f"publish.mix names {min(unknown)}",
            expected="one of " + ", ".join(sorted({row.source for row in rows})),
        )
    parts: dict[tuple[str, str], list[Candidate]] = {}
    for row in rows:
        split = "validation" if _draw(seed, "split", row) < config.validation else "train"
        times = 1 if split == "validation" else _times(row, config.mix, seed)
        parts.setdefault((row.kind, split), []).extend([row] * times)
    models = sorted({name for row in rows for name in _difficulty(row)})
    written = []
    for (kind, split), some in sorted(parts.items()):
        path = directory / f"{kind}-{split}.parquet"
        _write(path, some, models)
        sources = dict(sorted(Counter(row.source for row in some).items()))
        written.append(Published(file=path.name, rows=len(some), sources=sources))
    return written


def _times(row: Candidate, mix: Mapping[str, float], seed: int) -> int:
    """Return how often a row is written: the whole part of its factor, and one more by chance."""
    factor = mix.get(row.source, 1.0)
    return int(factor) + (_draw(seed, "mix", row) < factor - int(factor))


def _draw(seed: int, purpose: str, row: Candidate) -> float:
    """Return a number in [0, 1) that depends on the problem alone."""
    return derive_seed(seed, purpose, row.problem) / _LOAD


def _write(path: Path, rows: Sequence[Candidate], models: Sequence[str]) -> None:
    failures = pa.struct([(name, pa.int64()) for name in models])
    extra = [("index", pa.int64())] + ([("model_difficulty", failures)] if models else [])
    schema = pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", pa.list_(_MESSAGE)),
            ("ability", pa.string()),
            ("reward_model", pa.struct([("ground_truth", pa.string()), ("style", pa.string())])),
            ("extra_info", pa.struct([*extra, ("uid", pa.string())])),
        ]
    )
    scratch = path.with_name(f".{path.name}.writing")
    with pq.ParquetWriter(scratch, schema, compression="zstd") as writer:
        for start in range(0, len(rows), 8_192):
            part = list(_released(rows[start : start + 8_192], start, models))
            writer.write_table(pa.Table.from_pylist(part, schema))
    scratch.replace(path)


def _released(
    rows: Sequence[Candidate], start: int, models: Sequence[str]
) -> Iterator[dict[str, object]]:
    for index, row in enumerate(rows, start=start):
        extra: dict[str, object] = {"index": index, "uid": row.uid}
        if models:
            found = _difficulty(row)
            extra["model_difficulty"] = {name: found.get(name) for name in models}
        yield {
            "data_source": row.source,
            "prompt": [{"content": row.problem, "role": "user"}],
            "ability": row.kind,
            "reward_model": {"ground_truth": _ground_truth(row), "style": "rule"},
            "extra_info": extra,
        }


def _ground_truth(row: Candidate) -> str:
    """Return a code problem's tests, or a math answer as a JSON list in a string."""
    if row.is_code or row.answer.startswith('["'):
        return row.answer
    return json.dumps([row.answer], ensure_ascii=False)


def _difficulty(row: Candidate) -> dict[str, int]:
    found: dict[str, int] = json.loads(row.difficulty) if row.difficulty else {}
    return found
