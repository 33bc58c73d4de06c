"""The recipes for one and two cards: planned for the card that they name, and run on a CPU.

A random model of the same family stands for the one that the recipe names, a few rows for its data.
"""

from __future__ import annotations

import json
import re

import pytest

from reasonrl.launch.shapes import shape_of_model
from reasonrl.planning.gpus import gpu_of
from reasonrl.planning.plan import plan
from reasonrl.recipe.toml import load_recipe
from tests.e2e.support import RECIPES, metrics_of
from tests.e2e.support import reasonrl_here as reasonrl

CARDS = sorted([*RECIPES.glob("one-gpu-*.toml"), *RECIPES.glob("two-gpus-*.toml")])
FAMILY = {"Qwen3": "tiny:qwen3", "R1-Distill-Qwen": "tiny:qwen2"}
SMALL = (
    "engine.device=cpu", "engine.threads=1", "rollout.prompts_per_step=4", "rollout.group_size=4",
    "update.learning_rate=1e-3", "suite.1.max_new_tokens=8", "suite.1.k=1", "suite.1.limit=3",
    "suite.1.every=0",
)  # fmt: skip


def named(path, pattern) -> str:
    """What the head of a recipe says after a word."""
    return re.search(pattern, path.read_text())[1]


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_recipe_fits_on_the_card_that_its_first_lines_name(path):
    recipe = load_recipe(path)
    card = gpu_of(named(path, r"reasonrl plan \S+ --gpu (\S+)"))
    made = plan(recipe, shape_of_model(recipe.model.name), card)
    assert made.fits, made.remedy
    assert made.gpu is card
    assert named(path, r"reasonrl plan (\S+)") == path.stem == recipe.name


def small(path, folder) -> list[str]:
    """The settings with which a recipe runs on a CPU in seconds."""
    failures = {"DeepSeek-R1-Distill-Qwen-1.5B": 3}
    rows = [
        {"prompt": f"What is {n} + 1?", "answer": str(n + 1), "difficulty": failures}
        for n in range(8)
    ]
    problems = folder / "problems.jsonl"
    problems.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = load_recipe(path)
    [model] = [tiny for word, tiny in FAMILY.items() if word in recipe.model.name]
    source = f'[{{type="file", path="{problems}"}}]'
    given = [f"model.name={model}", f"data.sources={source}", f"suite.1.sources={source}", *SMALL]
    if model == "tiny:qwen3":
        given.append("model.chat_template_args={}")
    for number, _ in enumerate(recipe.stage, start=1):
        given += [f"stage.{number}.steps=2", f"stage.{number}.rollout.max_new_tokens=8"]
    return given


@pytest.mark.parametrize("path", CARDS[:-1], ids=lambda path: path.stem)
def test_a_recipe_for_one_card_trains_with_a_random_model_of_its_family(path, tmp_path):
    settings = [*small(path, tmp_path), "engine.rollout.type=local"]
    words = [word for setting in settings for word in ("--set", setting)]
    run = tmp_path / "run"
    done = reasonrl("train", path, "--run-dir", run, *words)
    assert done.returncode == 0, done.stderr
    rows = metrics_of(run)
    assert len(rows) == 2 * len(load_recipe(path).stage)
    assert (run / "adapter").is_dir() == ("lora" in path.stem)
