"""A dry run: everything that a training run checks before it begins, and nothing written."""

from __future__ import annotations

from pathlib import Path

from reasonrl.launch.advantages import load_advantages
from reasonrl.launch.models import find_model
from reasonrl.launch.origin import find_origin
from reasonrl.launch.own import NOTHING
from reasonrl.launch.precision import with_precision
from reasonrl.launch.prepare import prepare
from reasonrl.launch.rewards import open_rewards
from reasonrl.launch.train import check_directory, with_models
from reasonrl.recipe import Recipe
from reasonrl.run.layout import LOGS
from reasonrl.run.problem_sets import problem_sets
from reasonrl.terminal import Console

_SHOWN = 600  # characters of a prompt


def rehearse(
    recipe: Recipe, directory: Path, console: Console, *, branch_of: str = "", state_of: str = ""
) -> None:
    """Load and check all that a run needs, and show what it would train on.

    The arguments are those of `launch.train.train`, and so are the errors; a judge is asked its
    test question.
    """
    check_directory(directory)
    if branch_of:
        find_model(branch_of, where=f"--from {branch_of}")
    recipe = with_precision(with_models(recipe), console.note)
    load_advantages(recipe, directory, console.note)
    recipe, model, pools = prepare(recipe, directory, console, NOTHING)
    if state_of:
        find_origin(state_of).check(recipe, problem_sets(recipe, pools))
    logs = directory / LOGS
    with open_rewards(recipe.reward, recipe.verify, run=directory, logs=logs, note=console.note):
        pass
    for stage, pool in zip(recipe.stage, pools.stages, strict=True):
        longest = max(len(item.tokens) for item in pool)
        console.note(
            f"stage {stage.name}: {len(pool):,} problems, prompts of up to {longest} tokens"
        )
    for name, suite in pools.suites.items():
        console.note(f"suite {name}: {len(suite):,} problems")
    prompt = model.tokenizer.decode(pools.stages[0][0].tokens)
    console.note(f"the first prompt:\n{prompt[:_SHOWN]}")
    console.note("a dry run: nothing was written")
