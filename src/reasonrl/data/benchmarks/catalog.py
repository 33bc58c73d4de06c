"""The benchmarks by name, and the three ways to prompt for mathematics.

The report's files ask AIME 2024 for a boxed answer and AIME 2025 for nothing; `style` names that
inconsistency: "report" keeps it, "instruction" asks everywhere, "bare" nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reasonrl.data.benchmarks.adapter import (
    BOXED,
    Benchmark,
    Style,
    find_files,
    read_problems,
    user_turn,
)
from reasonrl.data.benchmarks.mathematics import MATHEMATICS
from reasonrl.data.benchmarks.programs import PROGRAMS
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem

BENCHMARKS: Mapping[str, Benchmark] = {one.name: one for one in (*MATHEMATICS, *PROGRAMS)}


def load_benchmark(
    name: str, *, path: Path | None = None, style: Style = "report"
) -> list[Problem]:
    """Return a benchmark's problems, in the order of its file, from the hub or a local copy.

    `path` is a file, which may hold a part of the benchmark, or a directory with a whole copy.
    `style` matters to mathematics only. Raises DataError when there is no such copy, it is not
    whole, or a row is not of this benchmark.
    """
    benchmark = BENCHMARKS[name]
    paths = find_files(benchmark.hub, benchmark.local, path, name)
    problems = read_problems(paths, benchmark.read)
    if len(problems) != benchmark.size and paths != [path]:
        raise DataError(
            f"{len(problems)} problems of {name}",
            where=str(paths[0]),
            expected=f"{benchmark.size}",
            remedy="fetch the file again, or give its path to take it as it is",
        )
    is_asked = style == "instruction" or (style == "report" and benchmark.is_instructed)
    if benchmark.kind is Kind.CODE or not is_asked:
        return problems
    return [replace(one, prompt=user_turn(f"{one.prompt[0].content} {BOXED}")) for one in problems]
