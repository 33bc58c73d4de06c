"""How long a replica samples: continuous batching, a step for every token of every running row.

One step reads the weights and every row's keys and values from memory, and pays for each row:

    step time = step_s + rows * row_s + (context of all rows) * token_s

The last row to end decides when a replica is done, so with few rows more GPUs buy nothing: what
remains is `longest row * step_s`. Called by `timing` and the simulation of schedules.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from reasonrl.planning.lengths import PROMPT_TOKENS

_STRIDE = 0.6180339887498949  # golden ratio: neighbours in length start far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCost:
    """Hold the seconds of one decoding step: of itself, of each row, of each token of context."""

    step_s: float
    row_s: float
    token_s: float

    def span_s(self, steps: float, rows: int, context: float) -> float:
        """Return the seconds of some steps of the same rows, whose contexts sum to `context`."""
        grown = context * steps + rows * steps * steps / 2
        return steps * (self.step_s + rows * self.row_s) + grown * self.token_s


def replica_s(cost: DecodeCost, lengths: Sequence[float], slots: int) -> float:
    """Return the seconds in which a replica samples rows of these lengths, `slots` at once."""
    steps = _steps(lengths, slots)
    tokens = sum(lengths)
    context = sum(length * (PROMPT_TOKENS + length / 2) for length in lengths)
    return steps * cost.step_s + tokens * cost.row_s + context * cost.token_s


def _steps(lengths: Sequence[float], slots: int) -> float:
    """Return the steps until the last row ends, when a free slot takes the next row at once."""
    if len(lengths) <= slots:
        return max(lengths)
    order = sorted(range(len(lengths)), key=lambda number: number * _STRIDE % 1)
    ends = [0.0] * slots
    for number in order:
        heapq.heapreplace(ends, ends[0] + lengths[number])
    return max(ends)
