"""Write the training set: Parquet in the schema of Skywork-OR1-RL-Data, mixed and split.

The split of a row depends on its text and not on its position, so a row stays in its split when
other rows are added or removed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.curation.recipe import PublishConfig
from reasonrl.curation.rows import Candidate, read_column
from reasonrl.curation.store import StepFolder, files_digest
from reasonrl.errors import ConfigError
from reasonrl.seeds import derive_seed
from reasonrl.verify.math.golds import accepted_answers

_MESSAGE = pa.struct([("content", pa.string()), ("role", pa.string())])
_SEEDS = 1 << 63  # `derive_seed` returns numbers below this


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published file: its name, its hash, its rows, and its rows by source."""

    file: str
    sha256: str
    rows: int
    sources: dict[str, int]


def check_mix(config: PublishConfig, known: Collection[str]) -> None:
    """Raise ConfigError if `publish.mix` names a source that was not read."""
    if unknown := config.mix.keys() - set(known):
        raise ConfigError(
            f"publish.mix names {min(unknown)}, which no row has as data_source",
            expected="one of " + ", ".join(sorted(known)),
        )


def publish(
    folder: StepFolder, chunks: Sequence[str], directory: Path, config: PublishConfig, *, seed: int
) -> list[Published]:
    """Write the kept rows of a step, one file for each kind and split, each whole or not at all.

    Rows are written chunk by chunk, so the memory in use is that of one chunk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    models = _models([folder.kept(key) for key in chunks])
    files: dict[str, _File] = {}
    written = 0
    try:
        for key in chunks:
            for name, rows in sorted(_parts(folder.rows(key), config, seed).items()):
                if name not in files:
                    files[name] = _File(directory / f"{name}.parquet", models)
                files[name].write(rows, written)
                written += len(rows)
    except BaseException:
        for file in files.values():
            file.abandon()
        raise
    published = [files[name].finish() for name in sorted(files)]
    current = {directory / file.file for file in published}
    for stale in set(directory.glob("*.parquet")) - current:
        stale.unlink()  # an earlier recipe published it
    return published


def _models(chunks: Sequence[Path]) -> list[str]:
    """Return the names of all models for which any row has a difficulty."""
    texts: set[str] = set()
    for chunk in chunks:
        texts.update(read_column(chunk, "difficulty"))
    return sorted({name for text in texts if text for name in json.loads(text)})


def _parts(
    rows: Sequence[Candidate], config: PublishConfig, seed: int
) -> dict[str, list[Candidate]]:
    """Return rows by the name of their file, repeated or left out as `config.mix` says."""
    parts: dict[str, list[Candidate]] = {}
    for row in rows:
        split = "validation" if _draw(seed, "split", row) < config.validation else "train"
        times = 1 if split == "validation" else _times(row, config.mix, seed)
        if times:
            parts.setdefault(f"{row.kind}-{split}", []).extend([row] * times)
    return parts


class _File:
    """A file that is written under a scratch name and takes its own name when it is whole."""

    def __init__(self, path: Path, models: Sequence[str]) -> None:
        self._path = path
        self._scratch = path.with_name(f".{path.name}.writing")
        self._models = models
        self._schema = _schema(models)
        self._writer = pq.ParquetWriter(self._scratch, self._schema, compression="zstd")
        self._sources: Counter[str] = Counter()

    def write(self, rows: Sequence[Candidate], start: int) -> None:
        """Add rows with indices from `start`; an index is unique over all files."""
        part = list(_released(rows, start, self._models))
        self._writer.write_table(pa.Table.from_pylist(part, self._schema))
        self._sources.update(row.source for row in rows)

    def finish(self) -> Published:
        self._writer.close()
        self._scratch.replace(self._path)
        return Published(
            file=self._path.name,
            sha256=files_digest([self._path]),
            rows=self._sources.total(),
            sources=dict(sorted(self._sources.items())),
        )

    def abandon(self) -> None:
        with suppress(OSError):  # the caller raises the error that led here
            self._writer.close()
        self._scratch.unlink(missing_ok=True)


def _times(row: Candidate, mix: Mapping[str, float], seed: int) -> int:
    """Return how often a row is written: the whole part of its factor, or one more by chance."""
    factor = mix.get(row.source, 1.0)
    return int(factor) + (_draw(seed, "mix", row) < factor - int(factor))


def _draw(seed: int, purpose: str, row: Candidate) -> float:
    """Return a number in [0, 1) that depends on the problem alone."""
    return derive_seed(seed, purpose, row.problem) / _SEEDS


def _schema(models: Sequence[str]) -> pa.Schema:
    failures = pa.struct([(name, pa.int64()) for name in models])
    extra = [("index", pa.int64())] + ([("model_difficulty", failures)] if models else [])
    return pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", pa.list_(_MESSAGE)),
            ("ability", pa.string()),
            ("reward_model", pa.struct([("ground_truth", pa.string()), ("style", pa.string())])),
            ("extra_info", pa.struct([*extra, ("uid", pa.string())])),
        ]
    )


def _released(
    rows: Sequence[Candidate], start: int, models: Sequence[str]
) -> Iterator[dict[str, object]]:
    for index, row in enumerate(rows, start=start):
        extra: dict[str, object] = {"index": index, "uid": row.uid}
        if models:
            failures = _difficulty(row)
            extra["model_difficulty"] = {name: failures.get(name) for name in models}
        yield {
            "data_source": row.source,
            "prompt": [{"content": row.problem, "role": "user"}],
            "ability": row.kind,
            "reward_model": {"ground_truth": _ground_truth(row), "style": "rule"},
            "extra_info": extra,
        }


def _ground_truth(row: Candidate) -> str:
    """Return a code problem's tests, or the accepted answers as a JSON list in a string."""
    if row.is_code:
        return row.answer
    return json.dumps(accepted_answers(row.answer), ensure_ascii=False)


def _difficulty(row: Candidate) -> dict[str, int]:
    failures: dict[str, int] = json.loads(row.difficulty) if row.difficulty else {}
    return failures
