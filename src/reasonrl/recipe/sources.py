"""Where problems come from: the `sources` of a stage, a suite or an evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """Refuse unknown keys, implicit conversions and assignment; `guide` lists what is known."""

    guide: ClassVar[str] = "docs/recipes.md"

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


Cell: TypeAlias = str | int | float | bool
"""A value of a row that a filter can name."""


class Weighted(Strict):
    """What every source has."""

    type: str
    """The kind of source."""
    weight: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The expected share of a step's problems, beside the weights of the other sources; without
    any, all problems are drawn alike."""


class RowSource(Weighted):
    """Rows in the form that their owner gave them; docs/data.md explains the keys."""

    fields: dict[
        Literal["prompt", "answer", "id", "kind", "source", "difficulty", "tests"], str
    ] = {}
    """The column, or the dotted path into a column, of each part of a problem."""
    answer_after: str = ""
    """The text behind which the answer stands; `\\boxed` takes the content of the last box."""
    prompt_template: Path | None = None
    """A text file with the prompt, and columns in braces; it starts at the recipe's directory."""
    where: dict[str, Cell | tuple[Cell, ...]] = {}
    """Keep only rows whose column has this value, or one of these."""


class FileSource(RowSource):
    """Problems from a file, or from a folder of files."""

    type: Literal["file"]
    """The kind of source."""
    path: Path
    """A JSONL, JSON, Parquet or CSV file, or a folder of them; it starts at the recipe's
    directory."""
    split: str | None = None
    """Which files of a folder that holds several splits."""


class HubSource(RowSource):
    """Problems of a data set on the Hugging Face hub (extra `hub`)."""

    type: Literal["hub"]
    """The kind of source."""
    repository: str
    """The data set's name on the hub, or a local folder of it."""
    config: str | None = None
    """Which configuration of a data set that has several."""
    split: str
    """Which split."""
    revision: str | None = None
    """A commit or tag of the data set; the newest one if left out."""


class GivenSource(RowSource):
    """Rows that a Python program hands over; docs/api.md has an example."""

    type: Literal["given"]
    """The kind of source."""
    name: str
    """The name under which `problems` has the rows."""


class ArithmeticSource(Weighted):
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


class FunctionsSource(Weighted):
    """Generated one-line functions to write, judged as programs."""

    type: Literal["functions"]
    """The kind of source."""
    split: Literal["train", "heldout"] = "train"
    """Which part of the problems."""
    heldout: int = Field(default=24, ge=1)
    """Problems that are held out of training."""


class GymSource(Weighted):
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


class _Benchmark(Weighted):
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
    FileSource
    | HubSource
    | GivenSource
    | ArithmeticSource
    | FunctionsSource
    | GymSource
    | Benchmark,
    Field(discriminator="type"),
]


def source_labels(sources: Iterable[Weighted]) -> list[str]:
    """Return the name of each source in metrics: its file, data set or type, and a number."""
    labels: list[str] = []
    for source in sources:
        match source:
            case FileSource():
                label = source.path.name.partition(".")[0]
            case HubSource():
                label = source.repository.rpartition("/")[2]
            case GivenSource():
                label = source.name
            case _:
                label = source.type
        label = re.sub(r"[^A-Za-z0-9_-]+", "-", label).strip("-") or "file"
        n = sum(other == label or other.startswith(f"{label}.") for other in labels)
        labels.append(f"{label}.{n + 1}" if n else label)
    return labels


class DifficultyFilter(Strict):
    """Keep problems that a model fails sometimes, counted in 16 attempts (section 6.3)."""

    model: str
    """The model's name in the problem files."""
    minimum: int = 1
    """The fewest failures of a problem that is kept."""
    maximum: int = 15
    """The most failures of a problem that is kept."""
