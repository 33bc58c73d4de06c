"""From four raw sources to a training set: `python -m benchmarks.funnel --data DIR [--out DIR]`.

Builds recipes/data/four-sources.toml from files below DIR. Prints how many rows each step kept of
each source, the reasons of the dropped rows, and the seconds. With `--meaning` it searches for
duplicates by meaning too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from reasonrl.curation.manifest import Manifest
from reasonrl.curation.recipe import DataRecipe
from reasonrl.launch.curate import curate
from reasonrl.recipe.tables import read_tables
from reasonrl.recipe.toml import parse
from reasonrl.terminal import Console

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


def recipe_of(data: Path, **more: Any) -> DataRecipe:
    """Return the recipe with files below a directory in place of the hub's."""
    tables = read_tables(RECIPE) | more
    for source in [*tables["source"], *tables["protected"]]:
        source["path"] = str(data / FILES[source["type"]])
    return parse(DataRecipe, tables, where=RECIPE.name)


def embedding(into: Path) -> Path:
    """Make a model2vec directory from the 32,000 vectors in WordLlama's wheel (MIT)."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(into)]
    subprocess.run([*command, "wordllama==0.4.0.post1"], check=True)
    (wheel,) = into.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        weights = archive.extract("wordllama/weights/l2_supercat_256.safetensors", into)
        words = archive.extract("wordllama/tokenizers/l2_supercat_tokenizer_config.json", into)
    model = into / "model"
    model.mkdir()
    vectors = load_file(weights)["embedding.weight"].astype("float32")
    save_file({"embeddings": vectors}, model / "model.safetensors")
    shutil.copy(words, model / "tokenizer.json")
    (model / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    return model


def print_funnel(manifest: Manifest) -> None:
    """Print how many rows each step kept of each source, and the reasons of its dropped rows."""
    names = list(manifest.steps[0].kept)
    print(f"| step | {' | '.join(names)} | all | dropped |")
    print("|---|" + "---|" * (len(names) + 2))
    for step in manifest.steps:
        kept = " | ".join(f"{step.kept.get(name, 0):,}" for name in names)
        print(f"| {step.name} | {kept} | {step.n_kept:,} | {step.why() or 'nothing'} |")


def main() -> None:
    """Build the training set and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--out", type=Path, help="where the build is kept; nowhere if left out")
    arguments.add_argument("--meaning", action="store_true", help="duplicates by meaning as well")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        more: dict[str, Any] = {}
        if given.meaning:
            more["dedup"] = {"semantic": {"model": str(embedding(Path(scratch)))}}
        recipe, out = recipe_of(given.data, **more), given.out or Path(scratch) / "out"
        start = time.perf_counter()
        manifest = curate(recipe, out, Console())
        seconds = time.perf_counter() - start
    print_funnel(manifest)
    ran = {step.name: step.notes for step in manifest.steps}["answers"]["compared"]
    print(f"\n{ran:,} answers compared with their solutions, or programs run; {seconds:.0f} s")


if __name__ == "__main__":
    main()
