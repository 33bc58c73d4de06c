"""Put a training run together and start it, or continue it.

Everything that can be wrong is checked before the run directory is made, so that bad input leaves
nothing half-written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reasonrl.engines.process import keep_freed_memory, use_threads
from reasonrl.engines.protocols import LearnerEngine
from reasonrl.errors import ConfigError, EngineLost
from reasonrl.launch.actors import Workload
from reasonrl.launch.branch import naming_last_good, start_from
from reasonrl.launch.engines import (
    Engines,
    open_cluster,
    open_engines,
    restarts_of,
)
from reasonrl.launch.judges import open_run_judge
from reasonrl.launch.models import starting_model
from reasonrl.launch.prepare import keeps_reference, open_trackers, prepare
from reasonrl.launch.prompts import keep_template
from reasonrl.launch.rewards import open_rewards
from reasonrl.loop.pipelined import PipelinedTrainer
from reasonrl.loop.state import TrainState, initial_state, read_state, write_state
from reasonrl.loop.trainer import Trainer
from reasonrl.models.hf import LanguageModel
from reasonrl.recipe import Recipe
from reasonrl.report.run.write import write_page, write_profile
from reasonrl.reward.scoring import Rewards
from reasonrl.rollout.judge import Judge
from reasonrl.rollout.pools import Pools, longest_context
from reasonrl.run import checkpoint
from reasonrl.run.config import read_config, write_config
from reasonrl.run.heartbeat import Heartbeat
from reasonrl.run.layout import (
    CHECKPOINTS,
    CODE,
    CONFIG,
    DATA,
    LOGS,
    MODEL,
    PAGE,
    RUN_FILES,
    SUMMARY,
)
from reasonrl.run.problem_sets import keep_manifest, problem_sets
from reasonrl.run.process import note_event, only_process, stop_on_signal
from reasonrl.run.record import RunRecorder
from reasonrl.run.summary import write_summary
from reasonrl.run.trackers import TrackedRecorder
from reasonrl.terminal import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOutcome:
    """How a call of `train` or `resume` ended."""

    directory: Path
    is_finished: bool
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """The parts of a run that stay when its engines are lost and started again."""

    recipe: Recipe
    directory: Path
    console: Console
    model: LanguageModel
    pools: Pools
    judge: Judge | None
    rewards: Rewards | None
    threads: int
    should_stop: Callable[[], bool]
    heartbeat: Heartbeat
    on_event: Callable[[str], None]


def train(
    recipe: Recipe,
    directory: Path,
    console: Console,
    *,
    address: str | None = None,
    branch_of: str = "",
) -> TrainOutcome:
    """Start a run in a directory that holds none yet; `address` is a Ray cluster's.

    `branch_of` is RUN or RUN@STEP, whose weights the run begins with in place of the recipe's
    model.
    """
    if any((directory / name).exists() for name in (CONFIG, DATA, CHECKPOINTS, CODE, *RUN_FILES)):
        raise ConfigError(
            "this directory already holds a run, or files named like a run's",
            where=str(directory),
            remedy=f"continue it with `reasonrl resume {directory}`, or pass another --run-dir",
        )
    if branch_of:
        recipe = start_from(branch_of, recipe, directory, console)
    return _run(_with_directory(recipe), directory, console, address, is_new=True)


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
    return _run(recipe, directory, console, address, is_new=False)


def _run(
    recipe: Recipe, directory: Path, console: Console, address: str | None, *, is_new: bool
) -> TrainOutcome:
    keep_freed_memory()
    threads = use_threads(recipe.engine.threads)
    recipe, model, pools = prepare(recipe, directory, console)
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
        judge = stack.enter_context(open_run_judge(recipe, pools, directory, console))
        if is_new:
            rewards.keep_code(directory / CODE)
            keep_template(recipe.model, directory)
            write_config(directory, recipe)
        keep_manifest(directory, problem_sets(recipe, pools))
        stopper = stack.enter_context(stop_on_signal(console))
        return _train_with_restarts(
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
            )
        )


def _train_with_restarts(run: RunParts) -> TrainOutcome:
    """Train; when an engine is lost, start again from the newest checkpoint, a few times."""
    restarts = restarts_of(run.recipe.engine)
    for attempt in range(1, restarts + 1):
        try:
            return _train(run)
        except EngineLost as error:
            run.on_event(f"{error}; starting again from the last checkpoint ({attempt}/{restarts})")
    return _train(run)


def _train(run: RunParts) -> TrainOutcome:
    recipe, directory = run.recipe, run.directory
    workload = Workload(
        model=recipe.model.name,
        seed=recipe.seed,
        optimizer=recipe.optimizer,
        context_tokens=longest_context(recipe, run.pools),
        keep_reference=keeps_reference(recipe),
    )
    with ExitStack() as stack:
        engines = stack.enter_context(
            open_engines(
                recipe.engine, workload, run.model, logs=directory / LOGS, on_event=run.on_event
            )
        )
        run.heartbeat.describe = engines.describe
        files = RunRecorder(directory)
        state = _restore(run, engines, files)
        # `resume --set engine...` is written down only now that its engines have started.
        write_config(directory, recipe)
        trackers = open_trackers(recipe, directory, state.step, stack)
        trainer = Trainer(
            recipe=recipe,
            engine=engines.rollout,
            learner=engines.learner,
            tokenizer=run.model.tokenizer,
            judge=run.judge,
            rewards=run.rewards,
            pools=run.pools.stages,
            suites=run.pools.suites,
            recorder=TrackedRecorder(files, trackers),
            display=run.console,
            save=lambda state: _save(directory, engines.learner, state, recipe.checkpoint.keep),
            should_stop=run.should_stop,
            state=state,
            audit=engines.audit,
        )
        with naming_last_good(directory, state):
            is_finished = (
                PipelinedTrainer(trainer, recipe.pipeline).run()
                if recipe.pipeline
                else trainer.run()
            )
        _write_results(run, engines, files, state, is_finished=is_finished)
    return TrainOutcome(directory=directory, is_finished=is_finished, step=state.step)


def _write_results(
    run: RunParts, engines: Engines, files: RunRecorder, state: TrainState, *, is_finished: bool
) -> None:
    """Write the page, and of a finished run the model and the summary."""
    directory = run.directory
    write_profile(directory, run.model.tokenizer.word)
    if is_finished:
        run.model.save_weights(directory / MODEL, engines.learner.weights().tensors)
        write_summary(
            directory,
            run.recipe,
            files,
            steps=state.step,
            train_wall_s=state.train_wall_s,
            threads=run.threads,
        )
    write_page(directory, run.recipe, files)


def _save(directory: Path, learner: LearnerEngine, state: TrainState, keep: int) -> None:
    checkpoint.save(
        directory / CHECKPOINTS,
        step=state.step,
        state=write_state(state),
        write_tensors=learner.save,
        keep=keep,
    )


def _restore(run: RunParts, engines: Engines, recorder: RunRecorder) -> TrainState:
    """Load the newest checkpoint, if any; rewind the record to it; give samplers its weights."""
    newest = checkpoint.load_latest(run.directory / CHECKPOINTS)
    if newest is None:
        state = initial_state(run.recipe)
    else:
        state = read_state(newest.state, where=str(newest.path))
        engines.learner.load(newest.path)
        run.console.note(f"resuming {run.directory} after step {state.step}")
    recorder.rewind(state.step)
    engines.rollout.load_weights(engines.learner.weights(), version=state.version)
    return state
