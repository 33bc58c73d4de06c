"""Where problems come from: the `sources` of a stage, a suite or an evaluation."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


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


class MathBenchmark(Strict):
    """A benchmark of mathematics."""

    type: Literal["aime24", "aime25", "math500", "gsm8k"]
    """The benchmark's name."""
    path: Path | None = None
    """A local file, or its directory; the hub if it is left out."""
    style: Literal["report", "instruction", "bare"] = "report"
    """Whether the prompt asks for a boxed answer: as the report's own files do (AIME 2024 and the
    others do, AIME 2025 does not), always (`instruction`), or never (`bare`)."""


class CodeBenchmark(Strict):
    """A benchmark of programs."""

    type: Literal["humaneval", "mbpp"]
    """The benchmark's name."""
    path: Path | None = None
    """A local file, or its directory; the hub if it is left out."""


class LiveCodeBench(Strict):
    """Contest problems of a window of time; the default is the report's."""

    type: Literal["livecodebench"]
    """The benchmark's name."""
    path: Path | None = None
    """A local file, or its directory; the hub if it is left out."""
    since: date = date(2024, 8, 1)
    """The first day of the window."""
    until: date = date(2025, 2, 1)
    """The day after the window's last."""
    release: int = Field(default=5, ge=1, le=6)
    """The benchmark's release."""


Benchmark = MathBenchmark | CodeBenchmark | LiveCodeBench

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
