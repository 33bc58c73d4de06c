"""What the loop asks of a recorder and of a display."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from reasonrl.algo.select import SelectedGroup
from reasonrl.engines.protocols import TokenRecord
from reasonrl.evaluation.sample_file import SampleRow
from reasonrl.evaluation.score import SuiteResult
from reasonrl.types import Row


class Recorder(Protocol):
    """Keep what happened."""

    def rollouts(self, step: int, stage: str, selected: Sequence[SelectedGroup]) -> None: ...
    def tokens(self, step: int, record: TokenRecord) -> None: ...
    def step(self, metrics: Row) -> None: ...
    def samples(self, suite: str, step: int, rows: Sequence[SampleRow]) -> None: ...
    def evaluation(self, result: SuiteResult) -> None: ...
    def evaluations(self) -> list[SuiteResult]: ...


class Display(Protocol):
    """Show a person how the run is going."""

    def note(self, text: str) -> None: ...
    def step(self, metrics: Row, *, total: int) -> None: ...
    def phase(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]: ...
