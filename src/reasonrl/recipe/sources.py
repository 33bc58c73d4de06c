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
    """Problems from a JSONL or Parquet file; a relative path starts at the recipe's directory."""

    type: Literal["file"]
    path: Path


class ArithmeticSource(Strict):
    """Generated one-operator arithmetic, split so that commuted operands stay together."""

    type: Literal["arithmetic"]
    operators: tuple[Literal["add", "sub", "mul"], ...] = ("add", "sub", "mul")
    max_operand: int = Field(default=9, ge=1, le=999)
    split: Literal["train", "heldout"] = "train"
    heldout: int = Field(default=64, ge=0)


class FunctionsSource(Strict):
    """Generated one-line functions to write, judged as programs."""

    type: Literal["functions"]
    split: Literal["train", "heldout"] = "train"
    heldout: int = Field(default=24, ge=1)


class GymSource(Strict):
    """A generator of the reasoning-gym package (extra `gym`)."""

    type: Literal["gym"]
    task: str
    size: int = Field(ge=1)
    seed: int = 0
    config: dict[str, int | float | str | bool] = {}


class MathBenchmark(Strict):
    """A benchmark of mathematics, from the hub, or from a local file or the directory it is in.

    `style` says where the prompt asks for a boxed answer: as the report's own files do (AIME 2024
    does, AIME 2025 does not, the rest does), everywhere, or nowhere.
    """

    type: Literal["aime24", "aime25", "math500", "gsm8k"]
    path: Path | None = None
    style: Literal["report", "instruction", "bare"] = "report"


class CodeBenchmark(Strict):
    """A benchmark of programs, from the hub, or from a local file or the directory it is in."""

    type: Literal["humaneval", "mbpp"]
    path: Path | None = None


class LiveCodeBench(Strict):
    """Contest problems from `since` up to, not including, `until`; the report's window."""

    type: Literal["livecodebench"]
    path: Path | None = None
    since: date = date(2024, 8, 1)
    until: date = date(2025, 2, 1)
    release: int = Field(default=5, ge=1, le=6)


Benchmark = MathBenchmark | CodeBenchmark | LiveCodeBench

Source = Annotated[
    FileSource | ArithmeticSource | FunctionsSource | GymSource | Benchmark,
    Field(discriminator="type"),
]


class DifficultyFilter(Strict):
    """Keep problems that a model failed `minimum` to `maximum` times of 16 (section 6.3)."""

    model: str
    minimum: int = 1
    maximum: int = 15
