"""From four raw sources to a training set: `python -m benchmarks.funnel --data DIR [--out DIR]`.

Builds recipes/data/four-sources.toml from files below DIR. Prints what every step kept of every
source, why the rest went, and the seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from reasonrl.console import Console
from reasonrl.curation.manifest import Manifest
from reasonrl.curation.recipe import DataRecipe
from reasonrl.launch.curate import curate
from reasonrl.recipe_file import parse, read_tables

RECIPE = Path(__file__).parents[1] / "recipes" / "data" / "four-sources.toml"
FILES = {
    "aime": "math/train_math_aime.json",
    "math": "math/train_math_math.json",
    "gsm8k": "gsm8k/train.jsonl",
    "leetcode": "leetcode/LeetCodeDataset-v0.2.0-train.jsonl.gz",
    "aime24": "aime/aime24.parquet",
    "aime25": "aime/aime25.parquet",
    "math500": "math/test_math_math.json",
    "humaneval": "humaneval/HumanEval.jsonl.gz",
    "mbpp": "mbpp/mbpp.jsonl",
}


def recipe_of(data: Path) -> DataRecipe:
    """Return the recipe with files below a directory in place of the hub's."""
    tables = read_tables(RECIPE)
    for one in [*tables["source"], *tables["protected"]]:
        one["path"] = str(data / FILES[one["type"]])
    return parse(DataRecipe, tables, where=RECIPE.name)


def print_funnel(manifest: Manifest) -> None:
    """Print what every step kept of every source, and the reasons of what it dropped."""
    names = list(manifest.steps[0].kept)
    print(f"| step | {' | '.join(names)} | all | dropped |")
    print("|---|" + "---|" * (len(names) + 2))
    for step in manifest.steps:
        kept = " | ".join(f"{step.kept.get(name, 0):,}" for name in names)
        print(f"| {step.name} | {kept} | {step.n_kept:,} | {step.why() or 'nothing'} |")


def main() -> None:
    """Build and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--out", type=Path, help="where it is kept; nowhere if left out")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        manifest = curate(recipe_of(given.data), given.out or Path(scratch), Console())
        seconds = time.perf_counter() - start
    print_funnel(manifest)
    ran = {step.name: step.notes for step in manifest.steps}["answers"]["compared"]
    print(f"\n{ran:,} answers compared with their solutions, or programs run; {seconds:.0f} s")


if __name__ == "__main__":
    main()
