"""The file of a suite's judged samples: its columns, and how it is written once.

Imports no engine, so that a run's record can be read without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.reward.columns import NOTES

if TYPE_CHECKING:
    from reasonrl.evaluation.journal import Identity

_SAMPLES = pa.schema(
    [
        ("model", pa.string()), ("suite", pa.string()),
        ("problem_id", pa.string()), ("index", pa.int32()),
        ("prompt", pa.string()), ("text", pa.string()), ("answer", pa.string()),
        ("n_tokens", pa.int32()), ("tokens", pa.list_(pa.int32())), ("logprob", pa.float64()),
        ("stop", pa.string()),
        ("reward", pa.float64()), ("status", pa.string()), ("reason", pa.string()),
        ("extracted", pa.string()), ("tests", pa.list_(pa.string())),
        ("verify_wall_s", pa.float64()),
    ]
)  # fmt: skip

SampleRow: TypeAlias = dict[str, object]
"""A sample with its verdict, by the columns of the file."""


def write_samples(path: Path, rows: Sequence[SampleRow], identity: Identity | None = None) -> None:
    """Write samples as Parquet; with an identity they can be scored again by `read_samples`."""
    schema = _SAMPLES
    for name in (name for name in rows[0] if name not in _SAMPLES.names):
        schema = schema.append(pa.field(name, pa.string() if name == NOTES else pa.float64()))
    if identity is not None:
        schema = schema.with_metadata(asdict(identity))
    scratch = path.with_name(f".{path.name}.writing")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), scratch, compression="zstd")
    scratch.replace(path)
