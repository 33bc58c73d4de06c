"""What a step costs beside busy programs, with the threads chosen and with all threads.

    python -m benchmarks.busy [--busy 0 1 2] [--rounds 5] [--steps 3] [--recipe quickstart]

Makes its own load: processes that only count. Each round trains the first steps of the recipe once
for each number of busy processes and each way to choose threads, in turn. The ratio is to the
quiet machine in the same round with the same way; a quiet machine is needed. Goals: at most 2.5
beside one busy process, at most 4 beside two, on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import DocstringHelp, report
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import dump_recipe, load_recipe

COUNT = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""
"""A program that keeps a core busy, and ends when the benchmark was killed."""


@contextmanager
def load(n: int) -> Iterator[None]:
    """Keep n cores busy."""
    busy = [subprocess.Popen([sys.executable, "-c", COUNT]) for _ in range(n)]
    time.sleep(0.5)
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def step_s(name: str, steps: int, threads: int) -> float:
    """Return the median seconds of the first steps of a recipe, its suites left out."""
    settings = ("suite=[]", f"stage.1.steps={steps}", f"engine.threads={threads}")
    recipe = load_recipe(recipe_path(name), settings)
    first = recipe.model_copy(update={"stage": recipe.stage[:1]})
    with tempfile.TemporaryDirectory() as directory:
        file, run = Path(directory) / "first.toml", Path(directory) / "run"
        file.write_text(dump_recipe(first), encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "reasonrl", "train", str(file), "--run-dir", str(run)],
            check=True, capture_output=True,
        )  # fmt: skip
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return float(statistics.median(json.loads(line)["time/step_s"] for line in lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("--busy", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--recipe", default="quickstart")
    given = parser.parse_args()
    ways = {"chosen": 0, "all cores": os.cpu_count() or 1}
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(given.rounds):
        for busy in given.busy:
            for name, threads in ways.items():
                with load(busy):
                    seconds[name, busy].append(step_s(given.recipe, given.steps, threads))
    rows: list[dict[str, str | float]] = []
    for (name, busy), taken in seconds.items():
        quiet = seconds[name, 0] or taken
        ratios = [one / before for one, before in zip(taken, quiet, strict=True)]
        rows.append(
            {
                "threads": name,
                "busy processes": busy,
                "s a step": round(statistics.median(taken), 2),
                "ratio": round(statistics.median(ratios), 2),
                "least": round(min(ratios), 2),
                "most": round(max(ratios), 2),
            }
        )
    report(rows, None)


if __name__ == "__main__":
    main()
