"""The time of sampling on one replica: continuous batching, one step per token of every row.

One step reads the weights and every row's keys and values from memory, and has a cost per row:

    step time = step_s + rows * row_s + (context of all rows) * token_s

A replica is done when its last row ends, so with few rows more GPUs do not help: the time never
falls below `longest row * step_s`. Called by `timing` and by benchmarks/scale_sim.py.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from reasonrl.planning.lengths import PROMPT_TOKENS

# With the golden ratio as stride, rows of similar lengths start at very different times.
_STRIDE = 0.6180339887498949


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCost:
    """The seconds of one decoding step: fixed, per row, and per token of context."""

    step_s: float
    row_s: float
    token_s: float

    def span_s(self, steps: float, rows: int, context: float) -> float:
        """Return the seconds of `steps` steps of the same rows, whose contexts sum to `context`."""
        tokens_read = context * steps + rows * steps * steps / 2
        return steps * (self.step_s + rows * self.row_s) + tokens_read * self.token_s


def replica_s(cost: DecodeCost, lengths: Sequence[float], slots: int) -> float:
    """Return the seconds in which a replica samples rows of these lengths, `slots` at a time."""
    steps = _steps(lengths, slots)
    tokens = sum(lengths)
    context = sum(length * (PROMPT_TOKENS + length / 2) for length in lengths)
    return steps * cost.step_s + tokens * cost.row_s + context * cost.token_s


def _steps(lengths: Sequence[float], slots: int) -> float:
    """Return the steps until the last row ends; a free slot takes the next row immediately."""
    if len(lengths) <= slots:
        return max(lengths)
    order = sorted(range(len(lengths)), key=lambda index: index * _STRIDE % 1)
    ends = [0.0] * slots
    for index in order:
        heapq.heapreplace(ends, ends[0] + lengths[index])
    return max(ends)
