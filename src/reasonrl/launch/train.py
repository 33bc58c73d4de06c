"""Put a training run together and start it, or go on with it.

Everything that can be wrong is checked before the run directory is made, so that bad input leaves
nothing half-written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.engines.process import keep_freed_memory, use_threads
from reasonrl.engines.protocols import LearnerEngine
from reasonrl.errors import CheckpointError, ConfigError, EngineLost
from reasonrl.launch.engines import Engines, Plan, model_for, open_cluster, open_engines
from reasonrl.launch.judges import open_judge
from reasonrl.loop.pipelined import PipelinedTrainer
from reasonrl.loop.state import TrainState, initial_state
from reasonrl.loop.trainer import Trainer
from reasonrl.models.fetch import is_at_hand
from reasonrl.models.hf import LanguageModel
from reasonrl.recipe import Recipe
from reasonrl.recipe.toml import dump_recipe, load_recipe
from reasonrl.report.run.write import write_page, write_profile
from reasonrl.rollout.collect import Judge
from reasonrl.rollout.pools import (
    Pools,
    encode_pools,
    load_problem_lists,
    longest_context,
    sources_of,
)
from reasonrl.run import checkpoint
from reasonrl.run.heartbeat import Describe, heartbeat
from reasonrl.run.layout import CHECKPOINTS, CONFIG, DATA, LOGS, MODEL, PAGE, RUN_FILES, SUMMARY
from reasonrl.run.problem_sets import keep_manifest, problem_sets
from reasonrl.run.process import note_event, only_process, stop_on_signal
from reasonrl.run.record import RunRecorder
from reasonrl.run.summary import write_summary
from reasonrl.run.trackers import TrackedRecorder, Tracker, open_tracker, require_package
from reasonrl.terminal import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say how a call of `train` or `resume` ended."""

    directory: Path
    is_finished: bool
    step: int


def train(
    recipe: Recipe, directory: Path, console: Console, *, address: str | None = None
) -> Outcome:
    """Start a run in a directory that holds none yet; `address` is a Ray cluster's."""
    if any((directory / name).exists() for name in (CONFIG, DATA, CHECKPOINTS, *RUN_FILES)):
        raise ConfigError(
            "this directory already holds a run, or files named like a run's",
            where=str(directory),
            remedy=f"`reasonrl resume {directory}` goes on with it; --run-dir starts another",
        )
    return _run(recipe, directory, console, address, is_new=True)


def resume(
    directory: Path,
    console: Console,
    *,
    address: str | None = None,
    overrides: Sequence[str] = (),
) -> Outcome:
    """Go on with a run from its newest checkpoint; a finished one is only shown.

    `overrides` may change where it runs, and stay; what is computed is the run's own.
    """
    if not (directory / CONFIG).exists():
        raise CheckpointError(
            "no run here",
            where=str(directory),
            expected=f"a directory with {CONFIG}, as `reasonrl train` makes it",
        )
    for override in overrides:
        if not override.startswith("engine."):
            raise ConfigError(
                "only where a run runs can be changed on the way",
                where=f"--set {override}",
                expected="a key of [engine]",
                remedy="start another run for another recipe",
            )
    recipe = load_recipe(directory / CONFIG, overrides)
    if (directory / SUMMARY).exists():
        recorder = RunRecorder(directory)
        write_page(directory, recipe, recorder)  # it may have been cut off behind the summary
        console.note(f"{directory} is finished; see {directory / PAGE}")
        steps = len(recorder.metrics())
        return Outcome(directory=directory, is_finished=True, step=steps)
    return _run(recipe, directory, console, address, is_new=False)


def _run(
    recipe: Recipe, directory: Path, console: Console, address: str | None, *, is_new: bool
) -> Outcome:
    threads = use_threads(recipe.engine.threads)
    keep_freed_memory()
    model, pools = _prepare(recipe, console)
    with ExitStack() as stack:
        stack.enter_context(open_cluster(recipe.engine, address))
        directory.mkdir(parents=True, exist_ok=True)
        stack.enter_context(only_process(directory))
        tell = stack.enter_context(heartbeat(directory))
        note = partial(note_event, directory, console)
        judge = stack.enter_context(
            open_judge(
                recipe.verify,
                (*pools.stages, *pools.suites.values()),
                is_on_cluster=recipe.engine.type == "ray",
                logs=directory / LOGS,
                on_event=note,
                console=console,
            )
        )
        if is_new:
            write_atomic(directory / CONFIG, dump_recipe(recipe))
        keep_manifest(directory, problem_sets(recipe, pools))
        stopper = stack.enter_context(stop_on_signal(console))
        run = Run(
            recipe=recipe,
            directory=directory,
            console=console,
            model=model,
            pools=pools,
            judge=judge,
            threads=threads,
            should_stop=stopper.is_set,
            tell=tell,
        )
        return _run_with_restarts(run, note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Hold what stays the same when a run's engines are lost and started again."""

    recipe: Recipe
    directory: Path
    console: Console
    model: LanguageModel
    pools: Pools
    judge: Judge
    threads: int
    should_stop: Callable[[], bool]
    tell: Callable[[Describe], None]


def _run_with_restarts(run: Run, note: Callable[[str], None]) -> Outcome:
    """Train; when an engine is lost, start again from the newest checkpoint, a few times."""
    restarts = run.recipe.engine.restarts
    for attempt in range(restarts + 1):
        try:
            return _train(run, note)
        except EngineLost as error:
            if attempt == restarts:
                raise
            note(f"{error}; starting again from the last checkpoint ({attempt + 1}/{restarts})")
    raise AssertionError("unreachable")


def _train(run: Run, note: Callable[[str], None]) -> Outcome:
    recipe, directory, model = run.recipe, run.directory, run.model
    plan = Plan(
        engine=recipe.engine,
        optimizer=recipe.optimizer,
        model=recipe.model.name,
        seed=recipe.seed,
        context=longest_context(recipe, run.pools),
        keep_reference=_keeps_reference(recipe),
    )
    with ExitStack() as stack:
        engines = stack.enter_context(
            open_engines(plan, model, logs=directory / LOGS, on_event=note)
        )
        run.tell(engines.describe)
        files = RunRecorder(directory)
        state = _restore(run, engines, files)
        if recipe != load_recipe(directory / CONFIG):  # it runs elsewhere now, and that works
            write_atomic(directory / CONFIG, dump_recipe(recipe))
        trackers = _open_trackers(recipe, directory, state.step, stack)
        trainer = Trainer(
            recipe=recipe,
            engine=engines.rollout,
            learner=engines.learner,
            tokenizer=model.tokenizer,
            judge=run.judge,
            pools=run.pools.stages,
            suites=run.pools.suites,
            recorder=TrackedRecorder(files, trackers),
            display=run.console,
            save=lambda state: _save(directory, engines.learner, state, recipe.checkpoint.keep),
            should_stop=run.should_stop,
            state=state,
            audit=engines.audit,
        )
        is_finished = (
            PipelinedTrainer(trainer, recipe.pipeline).run() if recipe.pipeline else trainer.run()
        )
        write_profile(directory, model.tokenizer.word)
        if is_finished:
            _save_model(run, engines)
            write_summary(
                directory,
                recipe,
                files,
                steps=trainer.state.step,
                train_wall_s=trainer.state.train_wall_s,
                threads=run.threads,
            )
        write_page(directory, recipe, files)
    return Outcome(directory=directory, is_finished=is_finished, step=trainer.state.step)


def _save_model(run: Run, engines: Engines) -> None:
    """Write the final model; one that was trained elsewhere is fetched."""
    is_here = run.recipe.engine.type == "local"
    weights = None if is_here else engines.learner.weights().tensors
    run.model.save_weights(run.directory / MODEL, weights)


def _prepare(recipe: Recipe, console: Console) -> tuple[LanguageModel, Pools]:
    """Load and check all that a run needs; nothing has been written yet."""
    for name in recipe.trackers:
        require_package(name)
    lists = load_problem_lists(sources_of(recipe))
    how = "" if is_at_hand(recipe.model.name) else " (fetched and converted once: a minute)"
    console.note(f"loading {recipe.model.name}{how}")
    model = model_for(recipe.engine, recipe.model.name, seed=recipe.seed)
    pools = encode_pools(recipe, lists, model.tokenizer, model.context)
    console.note(_describe_memory(model, recipe))
    return model, pools


def _open_trackers(
    recipe: Recipe, directory: Path, after_step: int, stack: ExitStack
) -> list[Tracker]:
    config = recipe.model_dump(mode="json")
    opened = []
    for name in recipe.trackers:
        tracker = open_tracker(
            name,
            run_name=directory.name,
            directory=directory,
            config=config,
            after_step=after_step,
        )
        opened.append(stack.enter_context(closing(tracker)))
    return opened


def _describe_memory(model: LanguageModel, recipe: Recipe) -> str:
    """Return one line on what the weights will need; activations and the cache come on top."""
    n = sum(parameter.numel() for parameter in model.module.parameters())
    copies = 5 if _keeps_reference(recipe) else 4  # weights, gradient, two moments
    ranks = recipe.engine.learner.ranks
    share = "" if recipe.engine.type == "local" else f" over {ranks} ranks"
    size = copies * 4 * n / 1e9
    return f"{n / 1e6:.1f}M parameters; float32 training state {size:.2f} GB{share}"


def _keeps_reference(recipe: Recipe) -> bool:
    """Say whether any stage measures its distance from the starting policy."""
    return any(stage.update.kl_coefficient > 0 for stage in recipe.stage)


# checkpoints


def _save(directory: Path, learner: LearnerEngine, state: TrainState, keep: int) -> None:
    checkpoint.save(
        directory / CHECKPOINTS,
        step=state.step,
        state=state.to_json(),
        write_tensors=learner.save,
        keep=keep,
    )


def _restore(run: Run, engines: Engines, recorder: RunRecorder) -> TrainState:
    """Load the newest checkpoint, if any, and rewind the record to it; give samplers weights."""
    found = checkpoint.load_latest(run.directory / CHECKPOINTS)
    if found is None:
        state = initial_state(run.recipe)
    else:
        engines.learner.load(found.path)
        state = _state_of(found)
        run.console.note(f"resuming {run.directory} after step {state.step}")
    recorder.rewind(state.step)
    engines.rollout.load_weights(engines.learner.weights(), version=state.version)
    return state


def _state_of(found: checkpoint.Checkpoint) -> TrainState:
    known = {field.name for field in fields(TrainState)}
    missing = known - found.state.keys() - {"start_nats"}  # new in a later version
    if unknown := missing | (found.state.keys() - known):
        raise CheckpointError(
            f"its state has other fields: {sorted(unknown)}",
            where=str(found.path),
            remedy="resume with the version of reasonrl that wrote it",
        )
    return TrainState(**found.state)  # type: ignore[arg-type]
