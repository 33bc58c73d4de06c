"""The benchmarks by name, and the three styles of prompts for mathematics.

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
    Style,
    find_files,
    read_problems,
    user_turn,
)
from reasonrl.data.benchmarks.mathematics import MATHEMATICS
from reasonrl.data.benchmarks.programs import PROGRAMS
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem

BENCHMARKS: Mapping[str, BenchmarkAdapter] = {
    adapter.name: adapter for adapter in (*MATHEMATICS, *PROGRAMS)
}


def load_benchmark(
    name: str, *, path: Path | None = None, style: Style = "report"
) -> list[Problem]:
    """Return a benchmark's problems, in the order of its file, from the hub or a local copy.

    `path` is a file, which may contain a part of the benchmark, or a directory with a complete
    copy. `style` applies to mathematics only. Raises DataError if there is no copy, if a copy in a
    directory is incomplete, or if a row does not have the benchmark's form.
    """
    benchmark = BENCHMARKS[name]
    paths = find_files(benchmark.hub, benchmark.local, path, name)
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
