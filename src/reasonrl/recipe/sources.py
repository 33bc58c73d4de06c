"""Where problems come from: the `sources` of a stage, a suite or an evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """Refuse unknown keys, implicit conversions and assignment; `guide` lists what is known."""

    guide: ClassVar[str] = "docs/recipes.md"

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class FileSource(Strict):
    """Problems from a file."""

    type: Literal["file"]
    """The kind of source."""
    path: Path
    """A JSONL or Parquet file; a relative path starts at the recipe's directory."""


class ArithmeticSource(Strict):
    """Generated one-operator arithmetic, split so that commuted operands stay together."""

    type: Literal["arithmetic"]
    """The kind of source."""
    operators: tuple[Literal["add", "sub", "mul"], ...] = ("add", "sub", "mul")
    """The operators of the problems."""
    max_operand: int = Field(default=9, ge=1, le=999)
    """The largest operand."""
    split: Literal["train", "heldout"] = "train"
    """Which part of the problems."""
    heldout: int = Field(default=64, ge=0)
    """Problems that are held out of training."""


class FunctionsSource(Strict):
    """Generated one-line functions to write, judged as programs."""

    type: Literal["functions"]
    """The kind of source."""
    split: Literal["train", "heldout"] = "train"
    """Which part of the problems."""
    heldout: int = Field(default=24, ge=1)
    """Problems that are held out of training."""


class GymSource(Strict):
    """A generator of the reasoning-gym package (extra `gym`)."""

    type: Literal["gym"]
    """The kind of source."""
    task: str
    """The generator's name."""
    size: int = Field(ge=1)
    """Problems to generate."""
    seed: int = 0
    """The generator's seed."""
    config: dict[str, int | float | str | bool] = {}
    """The generator's own settings."""


class _Benchmark(Strict):
    """Problems that models are compared on. Whoever trains on the test half says so by `split`."""

    training_halves: ClassVar[tuple[str, ...]] = ()

    type: str
    """The benchmark's name."""
    path: Path | None = None
    """A local file, or its directory; the hub if it is left out."""
    split: Literal["train", "test"] | None = None
    """Which half; `[data]` must name it, everything else takes the test half."""

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if self.split == "train" and self.type not in self.training_halves:
            raise ValueError(f'{self.type} has no training half; set split = "test"')
        return self


class MathBenchmark(_Benchmark):
    """A benchmark of mathematics."""

    training_halves = ("gsm8k",)

    type: Literal["aime24", "aime25", "math500", "gsm8k"]
    """The benchmark's name."""
    style: Literal["report", "instruction", "bare"] = "report"
    """Whether the prompt asks for a boxed answer: as the report's own files do (AIME 2024 and the
    others do, AIME 2025 does not), always (`instruction`), or never (`bare`)."""


class CodeBenchmark(_Benchmark):
    """A benchmark of programs."""

    training_halves = ("mbpp",)

    type: Literal["humaneval", "mbpp"]
    """The benchmark's name."""


class LiveCodeBench(_Benchmark):
    """Contest problems of a window of time; the default is the report's."""

    type: Literal["livecodebench"]
    """The benchmark's name."""
    since: date = date(2024, 8, 1)
    """The first day of the window."""
    until: date = date(2025, 2, 1)
    """The day after the window's last."""
    release: int = Field(default=5, ge=1, le=6)
    """The benchmark's release."""


Benchmark = MathBenchmark | CodeBenchmark | LiveCodeBench


def test_halves(sources: Iterable[object]) -> list[str]:
    """Return the names of the benchmarks of which sources take the test half."""
    return [
        source.type
        for source in sources
        if isinstance(source, _Benchmark) and source.split == "test"
    ]


def check_halves_named(sources: Iterable[object]) -> None:
    """Raise ValueError for a benchmark without `split`: to train on a test set must be a choice."""
    for source in sources:
        if isinstance(source, _Benchmark) and source.split is None:
            halves = ["train", "test"] if source.type in source.training_halves else ["test"]
            choice = " or ".join(f'split = "{half}"' for half in halves)
            raise ValueError(
                f"{source.type} is a benchmark, and training on its test half spoils every "
                f"score on it; set {choice}"
            )


def check_test_halves(sources: Iterable[object]) -> None:
    """Raise ValueError for a benchmark's training half, where models are evaluated."""
    for source in sources:
        if isinstance(source, _Benchmark) and source.split == "train":
            raise ValueError(
                f'{source.type}: an evaluation takes the test half; remove split = "train"'
            )


Source = Annotated[
    FileSource | ArithmeticSource | FunctionsSource | GymSource | Benchmark,
    Field(discriminator="type"),
]


class DifficultyFilter(Strict):
    """Keep problems that a model fails sometimes, counted in 16 attempts (section 6.3)."""

    model: str
    """The model's name in the problem files."""
    minimum: int = 1
    """The fewest failures of a problem that is kept."""
    maximum: int = 15
    """The most failures of a problem that is kept."""
