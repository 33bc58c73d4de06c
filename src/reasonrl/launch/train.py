"""Put a training run together and start it, or continue it.

Everything that can be wrong is checked before the run directory is made, so that bad input leaves
nothing half-written.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import Threads
from reasonrl.errors import ConfigError
from reasonrl.launch.advantages import keep_advantages, load_advantages
from reasonrl.launch.branch import start_from
from reasonrl.launch.changes import (
    changes_suites,
    check_changes,
    check_steps,
    check_unedited,
    computed_otherwise,
    has_more_steps,
    place_of,
)
from reasonrl.launch.engines import open_cluster
from reasonrl.launch.judges import open_run_judge
from reasonrl.launch.models import starting_model
from reasonrl.launch.origin import Origin, find_origin
from reasonrl.launch.own import NOTHING, Own
from reasonrl.launch.precision import with_precision
from reasonrl.launch.prepare import prepare
from reasonrl.launch.prompts import keep_template
from reasonrl.launch.rewards import open_rewards
from reasonrl.launch.session import RunParts, TrainOutcome, train_with_restarts
from reasonrl.recipe import Recipe
from reasonrl.report.run.write import write_page
from reasonrl.run.config import read_config, taken_config, write_config
from reasonrl.run.gaps import check_record
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
    state_of: str = "",
    own: Own = NOTHING,
) -> TrainOutcome:
    """Start a run in a directory that holds none yet; `address` is a Ray cluster's.

    `branch_of` is RUN or RUN@STEP, whose weights the run begins with in place of the recipe's
    model; `state_of` is a run whose whole state it begins with, in steps and record too. `own` are
    the caller's own parts.
    """
    check_directory(directory)
    origin = find_origin(state_of) if state_of else None
    if branch_of and origin is not None:
        raise ConfigError("--from and --from-state exclude each other", remedy="pass one of them")
    if branch_of:
        recipe = start_from(branch_of, recipe, directory, console)
    parsed = with_precision(with_models(recipe), console.note)
    return _run(parsed, directory, console, address, own, is_new=True, origin=origin)


def check_directory(directory: Path) -> None:
    """Raise ConfigError for a directory that no new run can be made in."""
    if directory.exists() and not directory.is_dir():
        raise ConfigError(
            "is a file", where=f"--run-dir {directory}", remedy="name a directory for the run"
        )
    if any((directory / name).exists() for name in (CONFIG, DATA, CHECKPOINTS, CODE, *RUN_FILES)):
        raise ConfigError(
            "this directory already holds a run, or files named like a run's",
            where=str(directory),
            remedy=f"continue it with `reasonrl resume {directory}`, or pass another --run-dir",
        )


def with_models(recipe: Recipe) -> Recipe:
    """Return a recipe whose models are not runs but the final models of runs."""
    model = recipe.model.model_copy(update={"name": starting_model(recipe.model.name)})
    stages = []
    for stage in recipe.stage:
        reference = stage.update.reference and starting_model(stage.update.reference)
        update = stage.update.model_copy(update={"reference": reference})
        stages.append(stage.model_copy(update={"update": update}))
    return recipe.model_copy(update={"model": model, "stage": tuple(stages)})


def resume(
    directory: Path,
    console: Console,
    *,
    address: str | None = None,
    overrides: Sequence[str] = (),
    own: Own = NOTHING,
) -> TrainOutcome:
    """Continue a run from its newest checkpoint; of a finished run, only write the page again.

    `overrides` may change what decides no number of the steps that were taken (`launch.changes`);
    more steps of its last stage reopen a finished run.
    """
    check_changes(overrides, directory)
    check_unedited(directory, overrides)
    recipe = read_config(directory, overrides)
    place = place_of(directory, recipe)
    check_steps(recipe, overrides, place)
    has_ended = (directory / SUMMARY).exists() and not has_more_steps(recipe, place)
    if not has_ended:
        check_record(directory)
        (directory / SUMMARY).unlink(missing_ok=True)
    if has_ended:
        recorder = RunRecorder(directory)
        # A kill right after summary.json was written may have lost the page.
        write_page(directory, recipe, recorder)
        console.note(f"{directory} is finished; see {directory / PAGE}")
        return TrainOutcome(directory=directory, is_finished=True, step=len(recorder.metrics()))
    recipe = with_precision(recipe, console.note)
    changes = [*overrides, *computed_otherwise(taken_config(directory), recipe)]
    return _run(recipe, directory, console, address, own, is_new=False, changes=changes)


def _run(
    recipe: Recipe,
    directory: Path,
    console: Console,
    address: str | None,
    own: Own,
    *,
    is_new: bool,
    changes: Sequence[str] = (),
    origin: Origin | None = None,
) -> TrainOutcome:
    keep_freed_memory()
    threads, logs = Threads(recipe.engine.threads, console.note), directory / LOGS
    advantages = load_advantages(recipe, directory, console.note)
    recipe, model, pools = prepare(recipe, directory, console, own)
    sets = problem_sets(recipe, pools)
    if origin is not None:
        origin.check(recipe, sets)
    with ExitStack() as stack:
        rewards = stack.enter_context(
            open_rewards(recipe.reward, recipe.verify, run=directory, logs=logs, note=console.note)
        )
        stack.enter_context(open_cluster(recipe.engine, address))
        directory.mkdir(parents=True, exist_ok=True)
        stack.enter_context(only_process(directory))
        heartbeat = stack.enter_context(Heartbeat(directory))
        judge = own.judge or stack.enter_context(open_run_judge(recipe, pools, directory, console))
        if is_new:
            rewards.keep_code(directory / CODE)
            _begin(recipe, directory, origin)
        keep_manifest(directory, sets, has_new_suites=changes_suites(changes))
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
                advantages=advantages,
                threads=threads,
                should_stop=stopper.is_set,
                heartbeat=heartbeat,
                on_event=partial(note_event, directory, console),
                own=own,
                changes=list(changes),
            )
        )


def _begin(recipe: Recipe, directory: Path, origin: Origin | None) -> None:
    """Write what a new run keeps from its start.

    The config comes last: a run without it is none, so a kill leaves no run without its origin.
    """
    keep_template(recipe.model, directory)
    keep_advantages(recipe, directory)
    if origin is not None:
        origin.copy_to(directory)
    write_config(directory, recipe)
