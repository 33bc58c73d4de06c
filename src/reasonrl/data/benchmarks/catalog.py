"""The benchmarks by name, both halves, and the three styles of prompts for mathematics.

The report's files ask for a boxed answer in AIME 2024 and not in AIME 2025. The style "report"
keeps this difference, "instruction" asks in every benchmark, "bare" in none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reasonrl.data.benchmarks.adapter import (
    BOXED,
    BenchmarkAdapter,
    Half,
    Style,
    find_files,
    read_problems,
    user_turn,
)
from reasonrl.data.benchmarks.mathematics import GSM8K_TRAINING, MATHEMATICS
from reasonrl.data.benchmarks.programs import MBPP_TRAINING, PROGRAMS
from reasonrl.data.splits import split_named
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem

BENCHMARKS: Mapping[str, BenchmarkAdapter] = {
    adapter.name: adapter for adapter in (*MATHEMATICS, *PROGRAMS)
}
"""The test half of each benchmark."""

TRAINING_HALVES: Mapping[str, BenchmarkAdapter] = {
    adapter.name: adapter for adapter in (GSM8K_TRAINING, MBPP_TRAINING)
}
"""The training half of the benchmarks that have one."""


def load_benchmark(
    name: str, *, path: Path | None = None, style: Style = "report", split: Half = "test"
) -> list[Problem]:
    """Return the problems of one half of a benchmark, in the order of its file.

    The file comes from the hub or from a local copy.

    `path` is a file, which may contain a part of the benchmark, or a directory with a complete
    copy. `style` applies to mathematics only. Raises DataError if there is no copy, if a copy in a
    directory is incomplete, or if a row does not have the benchmark's form.
    """
    benchmark, paths = _half(name, split), benchmark_files(name, path, split)
    problems = read_problems(paths, benchmark.read)
    if len(problems) != benchmark.size and paths != [path]:
        raise DataError(
            f"{len(problems)} problems of {name}",
            where=str(paths[0]),
            expected=f"{benchmark.size}",
            remedy="fetch the file again, or pass the file's path to use it as it is",
        )
    is_asked = style == "instruction" or (style == "report" and benchmark.is_instructed)
    if benchmark.kind is Kind.CODE or not is_asked:
        return problems
    return [
        replace(problem, prompt=user_turn(f"{problem.prompt[0].content} {BOXED}"))
        for problem in problems
    ]


def benchmark_files(name: str, path: Path | None, split: Half) -> list[Path]:
    """Return the files of one half of a benchmark, from the hub or below a local path.

    Raises DataError if there is no copy, or if a file's own name says that it is the other half.
    """
    _check_named_alike(path, split)
    half = _half(name, split)
    return find_files(half.hub, half.local, path, name)


def _half(name: str, split: Half) -> BenchmarkAdapter:
    return (BENCHMARKS if split == "test" else TRAINING_HALVES)[name]


def _check_named_alike(path: Path | None, split: Half) -> None:
    """Raise DataError when a file's own name says that it is another half than the recipe does."""
    other: Half = "test" if split == "train" else "train"
    if path is not None and path.is_file() and split_named(path.name) == other:
        raise DataError(
            f'the file is named like the {other} half, and split = "{split}"',
            where=str(path),
            remedy=f'set split = "{other}" or name another file',
        )
