"""One sitting of a run: its engines are started, and it trains until it ends or is stopped.

When an engine is lost, it starts again from the newest checkpoint. `launch.train` has checked
everything before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from reasonrl.algo.select import AdvantageFunction
from reasonrl.engines.process import naming_full_memory
from reasonrl.engines.protocols import LearnerEngine
from reasonrl.engines.threads import Threads
from reasonrl.errors import EngineLost
from reasonrl.evaluation.best import best_step
from reasonrl.launch.actors import Workload
from reasonrl.launch.adapter import write_adapter
from reasonrl.launch.branch import naming_last_good
from reasonrl.launch.doctor import Watch
from reasonrl.launch.engines import Engines, restarts_of
from reasonrl.launch.footprint import keeps_reference
from reasonrl.launch.live_page import keep_page, leaving_page
from reasonrl.launch.own import CallingRecorder, Own, open_all_engines
from reasonrl.launch.prepare import open_trackers
from reasonrl.loop.pipelined import PipelinedTrainer
from reasonrl.loop.stages import reopen
from reasonrl.loop.state import TrainState, initial_state, read_state, write_state
from reasonrl.loop.trainer import Trainer
from reasonrl.models.hf import LanguageModel
from reasonrl.recipe import Recipe
from reasonrl.report.run.write import write_page, write_profile
from reasonrl.reward.scoring import Rewards
from reasonrl.rollout.judge import Judge
from reasonrl.rollout.pools import Pools, longest_context
from reasonrl.run import checkpoint
from reasonrl.run.config import write_config
from reasonrl.run.heartbeat import Heartbeat
from reasonrl.run.layout import CHECKPOINTS, LOGS, MODEL
from reasonrl.run.prescriptions import read_facts
from reasonrl.run.record import RunRecorder
from reasonrl.run.sessions import note_session
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
    advantages: Mapping[str, AdvantageFunction]
    threads: Threads
    should_stop: Callable[[], bool]
    heartbeat: Heartbeat
    on_event: Callable[[str], None]
    own: Own
    changes: list[str]


def train_with_restarts(run: RunParts) -> TrainOutcome:
    """Train; when an engine is lost, start again from the newest checkpoint, a few times."""
    restarts = restarts_of(run.recipe.engine)
    with naming_full_memory(f"reasonrl resume {run.directory} --set KEY=VALUE"):
        for attempt in range(1, restarts + 1):
            try:
                return _train(run)
            except EngineLost as error:
                again = f"starting again from the last checkpoint ({attempt}/{restarts})"
                run.on_event(f"{error}; {again}")
        return _train(run)


def _train(run: RunParts) -> TrainOutcome:
    recipe, directory = run.recipe, run.directory
    with ExitStack() as stack:
        engines = stack.enter_context(
            open_all_engines(
                run.own,
                recipe.engine,
                workload_of(recipe, run.pools),
                run.model,
                logs=directory / LOGS,
                on_event=run.on_event,
            )
        )
        run.heartbeat.describe = engines.describe
        files = RunRecorder(
            directory, system_prompt=recipe.model.system_prompt, tokens=recipe.record.tokens
        )
        state = _restore(run, engines, files)
        while run.changes:
            run.on_event(f"from step {state.step + 1} on: {run.changes.pop(0)}")
        # `resume --set engine...` is written down only now that its engines have started.
        write_config(directory, recipe)
        note_session(directory, threads=run.threads.now, after_step=state.step)
        watch = _watch(run, files)
        tracked = TrackedRecorder(files, open_trackers(recipe, directory, state.step, stack))
        page = keep_page(directory, recipe, files)
        recorder = CallingRecorder(tracked, watch, page, run.own.on_step, threads=run.threads)
        trainer = Trainer(
            recipe=recipe,
            engine=engines.rollout,
            learner=engines.learner,
            tokenizer=run.model.tokenizer,
            judge=run.judge,
            rewards=run.rewards,
            advantages=run.advantages,
            pools=run.pools.stages,
            suites=run.pools.suites,
            recorder=recorder,
            display=run.console,
            save=lambda state: _save(directory, engines.learner, state, recipe, files, watch),
            should_stop=lambda: recorder.has_stopped or run.should_stop(),
            state=state,
            audit=engines.audit,
        )
        with leaving_page(directory, recipe, files), naming_last_good(directory, recipe, state):
            is_finished = _run(trainer, recipe)
        _write_results(run, engines, files, state, is_finished=is_finished)
        watch.check_lost(directory)
    return TrainOutcome(directory=directory, is_finished=is_finished, step=state.step)


def _run(trainer: Trainer, recipe: Recipe) -> bool:
    """Train by the loop that the recipe asks for; return whether the run is finished."""
    if recipe.ahead is None:
        return trainer.run()
    return PipelinedTrainer(trainer, recipe.ahead).run()


def _watch(run: RunParts, files: RunRecorder) -> Watch:
    """Return the doctor that looks at each step of this sitting."""
    return Watch(
        run.recipe,
        files.metrics(),
        lambda: read_facts(run.directory, files.evaluations()),
        run.console.note,
    )


def workload_of(recipe: Recipe, pools: Pools) -> Workload:
    """Return what the engines of a run must hold."""
    return Workload(
        model=recipe.model.name,
        seed=recipe.seed,
        optimizer=recipe.optimizer,
        context_tokens=longest_context(recipe, pools),
        keep_reference=keeps_reference(recipe),
        reference=recipe.stage[0].update.reference,
        lora=recipe.model.lora,
        backend=recipe.model.backend,
    )


def _write_results(
    run: RunParts, engines: Engines, files: RunRecorder, state: TrainState, *, is_finished: bool
) -> None:
    """Write the page, and of a finished run the model and the summary."""
    directory = run.directory
    write_profile(directory, run.model.tokenizer.word)
    if is_finished:
        run.model.save_weights(directory / MODEL, engines.learner.weights().tensors)
        write_adapter(directory, run.recipe)
        write_summary(
            directory,
            run.recipe,
            files,
            steps=state.step,
            train_wall_s=state.train_wall_s,
            threads=run.threads.now,
        )
    write_page(directory, run.recipe, files, phase="finished" if is_finished else "stopped")


def _save(
    directory: Path,
    learner: LearnerEngine,
    state: TrainState,
    recipe: Recipe,
    files: RunRecorder,
    watch: Watch,
) -> None:
    best = recipe.checkpoint.best
    # A checkpoint whose steps the record lacks could not be resumed from.
    files.flush()
    checkpoint.save(
        directory / CHECKPOINTS,
        step=state.step,
        state=write_state(state),
        write_tensors=learner.save,
        keep=recipe.checkpoint.keep,
        pinned=(
            best_step(files.evaluations(), best) if best else None,
            watch.pinned(directory),
        ),
    )


def _restore(run: RunParts, engines: Engines, recorder: RunRecorder) -> TrainState:
    """Load the newest checkpoint, if any; rewind the record to it; give samplers its weights."""
    newest = checkpoint.load_latest(run.directory / CHECKPOINTS)
    if newest is None:
        state = initial_state(run.recipe)
    else:
        state = read_state(newest.state, where=str(newest.path))
        reopen(run.recipe, state)
        engines.learner.load(newest.path)
        run.console.note(f"resuming {run.directory} after step {state.step}")
    recorder.rewind(state.step)
    engines.rollout.load_weights(engines.learner.weights(), version=state.version)
    return state
