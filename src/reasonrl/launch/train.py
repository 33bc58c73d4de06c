"""Put a training run together and start it, or continue it.

Everything that can be wrong is checked before the run directory is made, so that bad input leaves
nothing half-written.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from reasonrl.engines.process import keep_freed_memory, use_threads
from reasonrl.errors import ConfigError
from reasonrl.launch.branch import start_from
from reasonrl.launch.engines import (
    open_cluster,
)
from reasonrl.launch.judges import open_run_judge
from reasonrl.launch.models import starting_model
from reasonrl.launch.own import NOTHING, Own
from reasonrl.launch.prepare import prepare
from reasonrl.launch.prompts import keep_template
from reasonrl.launch.rewards import open_rewards
from reasonrl.launch.session import RunParts, TrainOutcome, train_with_restarts
from reasonrl.recipe import Recipe
from reasonrl.report.run.write import write_page
from reasonrl.run.config import read_config, write_config
from reasonrl.run.heartbeat import Heartbeat
from reasonrl.run.layout import (
    CHECKPOINTS,
    CODE,
    CONFIG,
    DATA,
    LOGS,
    PAGE,
    RUN_FILES,
    SUMMARY,
)
from reasonrl.run.problem_sets import keep_manifest, problem_sets
from reasonrl.run.process import note_event, only_process, stop_on_signal
from reasonrl.run.record import RunRecorder
from reasonrl.terminal import Console


def train(
    recipe: Recipe,
    directory: Path,
    console: Console,
    *,
    address: str | None = None,
    branch_of: str = "",
    own: Own = NOTHING,
) -> TrainOutcome:
    """Start a run in a directory that holds none yet; `address` is a Ray cluster's.

    `branch_of` is RUN or RUN@STEP, whose weights the run begins with in place of the recipe's
    model; `own` are the caller's own parts.
    """
    if any((directory / name).exists() for name in (CONFIG, DATA, CHECKPOINTS, CODE, *RUN_FILES)):
        raise ConfigError(
            "this directory already holds a run, or files named like a run's",
            where=str(directory),
            remedy=f"continue it with `reasonrl resume {directory}`, or pass another --run-dir",
        )
    if branch_of:
        recipe = start_from(branch_of, recipe, directory, console)
    parsed = _with_directory(recipe)
    return _run(parsed, directory, console, address, own, is_new=True)


def _with_directory(recipe: Recipe) -> Recipe:
    """Return a recipe whose model is not a run but the final model of the run."""
    model = recipe.model.model_copy(update={"name": starting_model(recipe.model.name)})
    return recipe.model_copy(update={"model": model})


def resume(
    directory: Path,
    console: Console,
    *,
    address: str | None = None,
    overrides: Sequence[str] = (),
    own: Own = NOTHING,
) -> TrainOutcome:
    """Continue a run from its newest checkpoint; of a finished run, only write the page again.

    `overrides` may change where the run computes, from now on; its numbers stay its own.
    """
    for override in overrides:
        if not override.startswith("engine."):
            raise ConfigError(
                "a run that has begun can change only where it computes",
                where=f"--set {override}",
                expected="a key of [engine]",
                remedy="start another run with `reasonrl train` to change anything else",
            )
    recipe = read_config(directory, overrides)
    if (directory / SUMMARY).exists():
        recorder = RunRecorder(directory)
        # A kill right after summary.json was written may have lost the page.
        write_page(directory, recipe, recorder)
        console.note(f"{directory} is finished; see {directory / PAGE}")
        return TrainOutcome(directory=directory, is_finished=True, step=len(recorder.metrics()))
    return _run(recipe, directory, console, address, own, is_new=False)


def _run(
    recipe: Recipe,
    directory: Path,
    console: Console,
    address: str | None,
    own: Own,
    *,
    is_new: bool,
) -> TrainOutcome:
    keep_freed_memory()
    threads = use_threads(recipe.engine.threads)
    recipe, model, pools = prepare(recipe, directory, console, own)
    with ExitStack() as stack:
        rewards = stack.enter_context(
            open_rewards(
                recipe.reward,
                recipe.verify,
                run=directory,
                logs=directory / LOGS,
                note=console.note,
            )
        )
        stack.enter_context(open_cluster(recipe.engine, address))
        directory.mkdir(parents=True, exist_ok=True)
        stack.enter_context(only_process(directory))
        heartbeat = stack.enter_context(Heartbeat(directory))
        judge = own.judge or stack.enter_context(open_run_judge(recipe, pools, directory, console))
        if is_new:
            rewards.keep_code(directory / CODE)
            keep_template(recipe.model, directory)
            write_config(directory, recipe)
        keep_manifest(directory, problem_sets(recipe, pools))
        stopper = stack.enter_context(stop_on_signal(console))
        return train_with_restarts(
            RunParts(
                recipe=recipe,
                directory=directory,
                console=console,
                model=model,
                pools=pools,
                judge=judge,
                rewards=rewards.function,
                threads=threads,
                should_stop=stopper.is_set,
                heartbeat=heartbeat,
                on_event=partial(note_event, directory, console),
                own=own,
            )
        )
