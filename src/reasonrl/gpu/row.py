"""The records of the check: a row's question, its answer with bounds, and the verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import PlainSerializer

AnyNumber: TypeAlias = Annotated[
    float, PlainSerializer(lambda value: value if isfinite(value) else str(value), when_used="json")
]
"""A number that JSON can hold: one that is not finite is written as a word, and read back."""

Device: TypeAlias = Literal["cuda", "cpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The things that a row cannot be asked without.

    A row that is `asked_of_cpus` needs its GPUs only where a GPU is checked. `elsewhere` says how a
    row is asked that this command cannot ask; empty for all others.
    """

    gpus: int = 0
    asked_of_cpus: bool = False
    vllm: bool = False
    ray: bool = False
    elsewhere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRow:
    """A question about a machine, asked in a process of its own.

    The estimates are seconds on a GPU and on a CPU with the tiny model; the budget decides by them.
    A process that takes longer than `limit_s` is ended, and that is the row's answer.
    """

    name: str
    question: str
    estimate_s: float
    cpu_estimate_s: float
    limit_s: float
    needs: Needs = Needs()

    def estimate_on(self, device: Device) -> float:
        """Return the estimate for a device, in seconds."""
        return self.estimate_s if device == "cuda" else self.cpu_estimate_s


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSetting:
    """What a check is about: a device, the number of its GPUs, and a model.

    `model` is a directory, a name as recipes have it, or `tiny`.
    """

    device: Device
    gpus: int
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that a row measured, with a lower and an upper bound where there are bounds."""

    name: str
    value: AnyNumber
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def has_bound(self) -> bool:
        return self.low is not None or self.high is not None

    @property
    def is_within(self) -> bool:
        """Return whether the number keeps its bounds. NaN keeps none."""
        over_low = self.low is None or self.value >= self.low
        under_high = self.high is None or self.value <= self.high
        return over_low and under_high

    @property
    def shown(self) -> str:
        """Return the number with its unit."""
        return f"{self.value:.4g} {self.unit}".rstrip()

    @property
    def bound(self) -> str:
        """Return the bounds in words; empty without any."""
        if self.low is not None and self.high is not None:
            if self.low == self.high:
                return f"{self.low:.4g}"
            return f"{self.low:.4g} to {self.high:.4g}"
        if self.high is not None:
            return f"at most {self.high:.4g}"
        return "" if self.low is None else f"at least {self.low:.4g}"

    @property
    def judged(self) -> str:
        """Return the bounds in words, and whether the number does not keep them."""
        return f"{self.bound or '-'}{'' if self.is_within else ': NOT KEPT'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAnswer:
    """The answer of a row's process: numbers, and facts by name."""

    figures: tuple[Figure, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


class RowState(StrEnum):
    """How far a row has come."""

    ANSWERED = "answered"
    FAILED = "failed"
    NEEDS = "needs"
    UNASKED = "not asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What is known of a row. `reason` says why there is no answer; `log` ends a failed one's."""

    name: str
    state: RowState
    seconds: float = 0.0
    answer: RowAnswer | None = None
    reason: str = ""
    log: tuple[str, ...] = ()

    @property
    def is_bad(self) -> bool:
        """Return whether the row failed or has a number out of its bound."""
        figures = self.answer.figures if self.answer else ()
        return self.state is RowState.FAILED or not all(figure.is_within for figure in figures)

    @property
    def verdict(self) -> str:
        """Return the verdict in words."""
        if self.state is RowState.NEEDS:
            return f"needs {self.reason}"
        if self.answer is None:
            return f"{self.state}: {self.reason}"
        if self.is_bad:
            return "OUT OF BOUND"
        has_bound = any(figure.has_bound for figure in self.answer.figures)
        return "within its bound" if has_bound else "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """All results of a check, in the order of its rows, with the versions that gave them."""

    format: int = 1
    reasonrl: str
    setting: CheckSetting
    rows: tuple[RowResult, ...]

    @property
    def is_good(self) -> bool:
        """Return whether no row failed and no number is out of its bound."""
        return not any(row.is_bad for row in self.rows)

    @property
    def failed(self) -> tuple[RowResult, ...]:
        """Return the rows that failed, which the next call asks again."""
        return tuple(row for row in self.rows if row.state is RowState.FAILED)


def result_path(out: Path, name: str) -> Path:
    """Return the file of a row's result."""
    return out / f"{name}.json"


def work_path(out: Path, name: str) -> Path:
    """Return the directory that a row's process may use."""
    return out / "work" / name


def answer_path(out: Path, name: str) -> Path:
    """Return the file that a row's process leaves its answer in."""
    return work_path(out, name) / "answer.json"


def log_path(out: Path, name: str) -> Path:
    """Return the file of everything that a row's process printed."""
    return out / "logs" / f"{name}.log"
