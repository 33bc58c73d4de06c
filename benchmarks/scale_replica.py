"""One sampling replica as a SimPy process: rows side by side, interrupted by events.

The times are those of `planning.decode`: without an interruption a replica takes exactly as long as
the formula says. Events are new rows and new weights. Called by `benchmarks.scale_sim`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import simpy

from reasonrl.planning.calibrated import H800, baseline
from reasonrl.planning.lengths import PROMPT_TOKENS
from reasonrl.planning.published import SHAPES
from reasonrl.planning.timing import REPORT_SYSTEM, decode_cost

# Rows side by side on a replica: twice as many as in the calibration; the cache has room for 148.
ROWS = 64
SHAPE = SHAPES[baseline(32).model]
COST = decode_cost(SHAPE, H800, 1)
READ_S = 2 * SHAPE.multiplied_parameters / (H800.speed.peak_flops * REPORT_SYSTEM.flops_share)
"""Seconds to compute the cache of one token of an interrupted rollout again."""

Process = Generator[simpy.Event, Any, None]


@dataclass(slots=True)
class Row:
    """One rollout: its group, the tokens left to sample, and its context so far."""

    group: int
    left: float
    context: float = PROMPT_TOKENS


class Replica:
    """A replica that decodes rows side by side and counts the seconds in which its GPU works."""

    def __init__(self, env: simpy.Environment, ended: Callable[[Row], None]) -> None:
        self.env, self.ended = env, ended
        self.waiting: deque[Row] = deque()
        self.rows: list[Row] = []
        self.pause_s = 0.0
        self.busy_s = 0.0
        self.news = env.event()
        env.process(self._run())

    @property
    def load(self) -> int:
        return len(self.rows) + len(self.waiting)

    def add(self, row: Row) -> None:
        self.waiting.append(row)
        if len(self.rows) < ROWS:
            self._wake()

    def renew(self, pause_s: float) -> None:
        """Load new weights: pause, then compute the caches of all rows again."""
        self.pause_s += pause_s
        self._wake()

    def _wake(self) -> None:
        if not self.news.triggered:
            self.news.succeed()

    def _run(self) -> Process:
        while True:
            self.news = self.env.event()
            while self.waiting and len(self.rows) < ROWS:
                self.rows.append(self.waiting.popleft())
            if self.pause_s:
                pause_s, self.pause_s = self.pause_s, 0.0
                read_s = READ_S * sum(row.context for row in self.rows)
                self.busy_s += read_s
                yield self.env.timeout(pause_s + read_s)
            elif self.rows:
                yield from self._decode()
            else:
                yield self.news

    def _decode(self) -> Process:
        """Decode until a row ends or an event interrupts."""
        n, context = len(self.rows), sum(row.context for row in self.rows)
        steps = min(row.left for row in self.rows)
        span_s, start_s = COST.span_s(steps, n, context), self.env.now
        yield self.env.timeout(span_s) | self.news
        passed_s = self.env.now - start_s
        self.busy_s += passed_s
        if passed_s < span_s:
            steps = _steps_in(passed_s, n, context)
        for row in self.rows:
            row.left -= steps
            row.context += steps
        over = [row for row in self.rows if row.left <= 1e-6]
        self.rows = [row for row in self.rows if row.left > 1e-6]
        for row in over:
            self.ended(row)


def _steps_in(passed_s: float, n: int, context: float) -> float:
    """Return the steps done in `passed_s`, the inverse of `DecodeCost.span_s`."""
    half = n * COST.token_s / 2
    linear = COST.step_s + n * COST.row_s + context * COST.token_s
    return (math.sqrt(linear * linear + 4 * half * passed_s) - linear) / (2 * half)
