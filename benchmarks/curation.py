"""Time the data pipeline on generated rows: `python -m benchmarks.curation [--rows N ...]`.

Rows are stories with numbers, half of them with a worked solution. Every tenth row repeats an
earlier row: unchanged, with other numbers, or reworded. The rows are read, cleaned, compared with
their solutions, deduplicated, decontaminated against 500 generated test problems, and published.
Prints, for each size, the seconds, the largest memory of the process and its workers together, and
the time for a row relative to the first size.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psutil

from reasonrl.curation.build import run_build
from reasonrl.curation.recipe import DataRecipe
from reasonrl.curation.resume import Build
from reasonrl.recipe.toml import parse

NAMES = [
    "Natalia",
    "Weng",
    "Betty",
    "Julie",
    "James",
    "Mark",
    "Albert",
    "Ken",
    "Alexis",
    "Tina",
    "Jasper",
    "Joy",
    "Randy",
    "Carl",
]
THINGS = [
    "clips",
    "apples",
    "books",
    "marbles",
    "stamps",
    "coins",
    "pencils",
    "cards",
    "tickets",
    "shells",
    "buttons",
]
PLACES = [
    "market",
    "school",
    "library",
    "garden",
    "station",
    "museum",
    "bakery",
    "harbour",
    "workshop",
    "theatre",
]
VERBS = [
    "sold",
    "bought",
    "found",
    "lost",
    "packed",
    "carried",
    "counted",
    "traded",
    "painted",
    "collected",
]
ENDS = (
    "How many {thing} are left in the {place} at the end of the day?",
    "What is the total number of {thing} that {name} has after that?",
    "Find the number of {thing} that were {verb} altogether in the {place}.",
    "If the {thing} are shared equally, how many does {name} keep for the {place}?",
)
FILLERS = (
    "The {place} opens at {a} in the morning.", "{name} {verb} {a} {thing} on Monday.",
    "On Tuesday {name} {verb} {b} more {thing} than on Monday.",
    "Each box in the {place} holds ${a} \\times {b}$ {thing}.",
    "Let $x$ be the number of {thing}; then $\\frac{{x}}{{{a}}} + {b}$ were {verb}.",
    "A friend from the {place} {verb} \\({b}\\) {thing} and gave {a} of them back.",
    "Every {thing2} in the {place} costs \\${a}, and {name} has \\${b}.",
    "The number of {thing} satisfies $x^2 - {a}x + {b} = 0$.",
)  # fmt: skip


def rows(n: int, seed: int) -> Iterator[dict[str, str]]:
    """Yield n rows, each a story; every tenth repeats one of the last thousand rows."""
    draw = random.Random(seed)
    recent: list[dict[str, str]] = []
    for index in range(n):
        row = _repeated(draw, recent) if index % 10 == 9 else _story(draw)
        recent = [*recent[-999:], row] if len(recent) < 1000 else recent
        if len(recent) == 1000:
            recent[index % 1000] = row
        yield row


def _story(draw: random.Random) -> dict[str, str]:
    words = {"name": draw.choice(NAMES), "place": draw.choice(PLACES)}
    parts = [draw.choice(FILLERS) for _ in range(draw.randint(2, 6))] + [draw.choice(ENDS)]
    text = " ".join(
        part.format(
            **words,
            thing=draw.choice(THINGS), thing2=draw.choice(THINGS)[:-1], verb=draw.choice(VERBS),
            a=draw.randint(2, 9_999), b=draw.randint(2, 9_999),
        )
        for part in parts
    )  # fmt: skip
    answer = str(draw.randint(1, 99_999))
    solution = f"Adding up gives \\boxed{{{answer}}}." if draw.random() < 0.5 else ""
    return {"problem": text, "answer": answer, "solution": solution}


def _repeated(draw: random.Random, recent: list[dict[str, str]]) -> dict[str, str]:
    row = dict(draw.choice(recent))
    way = draw.randrange(3)
    if way == 1:
        row["problem"] = row["problem"].replace("1", "2").replace("7", "8")
        row["answer"], row["solution"] = "12", ""
    if way == 2:
        row["problem"] = (
            row["problem"].replace("How many", "What number of").replace(" has ", " owns ")
        )
    return row


def run(n: int, directory: Path, workers: int) -> tuple[float, float, dict[str, float]]:
    """Build a set of n rows; return its seconds, its MiB, and the seconds of each phase."""
    raw, protected = directory / f"{n}.jsonl", directory / "protected.jsonl"
    with raw.open("w") as file:
        for row in rows(n, seed=1):
            file.write(json.dumps(row) + "\n")
    with protected.open("w") as file:
        for number, row in enumerate(rows(500, seed=2)):
            line = {"id": str(number), "prompt": row["problem"], "answer": row["answer"]}
            file.write(json.dumps(line) + "\n")
    tables = {
        "name": "generated",
        "workers": workers,
        "source": [{"type": "deepscaler", "path": str(raw)}],
        "protected": [{"type": "file", "path": str(protected)}],
    }
    recipe = parse(DataRecipe, tables, where="benchmark")
    out, phases = directory / f"out-{n}", {}
    out.mkdir()

    @contextmanager
    def phase(name: str, _total: int) -> Iterator[Callable[[int], None]]:
        start = time.perf_counter()
        yield lambda _n: None
        phases[name] = phases.get(name, 0.0) + time.perf_counter() - start

    start = time.perf_counter()
    with _peak() as peak:
        run_build(Build(recipe=recipe, directory=out, phase=phase, note=print, open_meter=_nobody))
    seconds = time.perf_counter() - start
    shutil.rmtree(out)
    return seconds, peak[0], phases


def _nobody(_config: object) -> NoReturn:
    raise AssertionError("no difficulty is measured here")


@contextmanager
def _peak() -> Iterator[list[float]]:
    """Watch the memory of this process and its workers together, in MiB."""
    most, stop = [0.0], threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not stop.wait(0.2):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            most[0] = max(most[0], total / (1 << 20))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=[100_000, 300_000, 900_000])
    arguments.add_argument("--workers", type=int, default=2)
    given = arguments.parse_args()
    first = None
    print("| rows | s | us a row | of linear | MiB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for n in given.rows:
            seconds, memory, phases = run(n, Path(directory), given.workers)
            each = seconds / n
            first = first or each
            print(
                f"| {n:,} | {seconds:.1f} | {1e6 * each:.0f} | {each / first:.2f} | {memory:.0f} |"
            )
            print(f"<!-- {', '.join(f'{name} {s:.1f}' for name, s in phases.items())} -->")


if __name__ == "__main__":
    main()
