"""What the learner computed at the trained tokens of a step, as a table: a row for each rollout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from reasonrl.recipe.record import TokenDetail

if TYPE_CHECKING:
    from reasonrl.engines.protocols import TokenRecord

MOST_TOKENS = 1_000_000
"""Tokens of a step above which sums alone are written: 8 bytes a token would be many gigabytes."""

_SCHEMA = pa.schema(
    [
        ("rollout_id", pa.string()), ("n_tokens", pa.int32()),
        ("old_logprobs", pa.list_(pa.float32())), ("entropies", pa.list_(pa.float32())),
        ("old_logprob_sum", pa.float64()), ("entropy_sum", pa.float64()),
    ]
)  # fmt: skip


def token_table(record: TokenRecord, detail: TokenDetail) -> pa.Table:
    """Return a row for each trained rollout; the lists are null where only sums are kept."""
    has_lists = detail == "all" and len(record.old_logprobs_N) <= MOST_TOKENS
    logprobs = _split(record.old_logprobs_N, record.lengths)
    entropies = _split(record.entropies_N, record.lengths)
    columns = [
        list(record.rollout_ids),
        list(record.lengths),
        logprobs if has_lists else [None] * len(logprobs),
        entropies if has_lists else [None] * len(entropies),
        [float(part.sum(dtype=np.float64)) for part in logprobs],
        [float(part.sum(dtype=np.float64)) for part in entropies],
    ]
    return pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), schema=_SCHEMA)


def _split(values_N: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
    """Return the values of each rollout."""
    return np.split(values_N, np.cumsum(lengths)[:-1]) if len(lengths) else []
