"""Put a training run together and start it, or go on with it.

Everything that can be wrong is checked before the run directory is made, so that bad input leaves
nothing half-written.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from pathlib import Path

from reasonrl import checkpoint
from reasonrl.atomic import write_atomic
from reasonrl.config import Recipe
from reasonrl.console import Console
from reasonrl.engines.local import LocalEngine, keep_freed_memory, use_threads
from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.evaluation.options import CHECKPOINTS, CONFIG
from reasonrl.launch.parts import judge_with, local_engine, make_verifier
from reasonrl.launch.process import only_process, stop_on_signal
from reasonrl.manifest import DATA, keep_manifest, problem_sets
from reasonrl.models.fetch import is_at_hand
from reasonrl.models.hf import LanguageModel, load_model
from reasonrl.pools import (
    Pools,
    encode_pools,
    has_programs,
    load_problem_lists,
    sources_of,
)
from reasonrl.recipe_file import dump_recipe, load_recipe
from reasonrl.record import RUN_FILES, RunRecorder
from reasonrl.summary import MODEL, PAGE, SUMMARY, write_page, write_summary
from reasonrl.trackers import TrackedRecorder, Tracker, open_tracker, require_package
from reasonrl.train_state import TrainState, initial_state
from reasonrl.trainer import Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say how a call of `train` or `resume` ended."""

    directory: Path
    is_finished: bool
    step: int


def train(recipe: Recipe, directory: Path, console: Console) -> Outcome:
    """Start a run in a directory that holds none yet."""
    if any((directory / name).exists() for name in (CONFIG, DATA, CHECKPOINTS, *RUN_FILES)):
        raise ConfigError(
            "this directory already holds a run, or files named like a run's",
            where=str(directory),
            remedy=f"`reasonrl resume {directory}` goes on with it; --run-dir starts another",
        )
    return _run(recipe, directory, console, is_new=True)


def resume(directory: Path, console: Console) -> Outcome:
    """Go on with a run from its newest checkpoint; a finished one is only shown."""
    if not (directory / CONFIG).exists():
        raise CheckpointError(
            "no run here",
            where=str(directory),
            expected=f"a directory with {CONFIG}, as `reasonrl train` makes it",
        )
    recipe = load_recipe(directory / CONFIG)
    if (directory / SUMMARY).exists():
        recorder = RunRecorder(directory)
        write_page(directory, recipe, recorder)  # it may have been cut off behind the summary
        console.note(f"{directory} is finished; see {directory / PAGE}")
        steps = len(recorder.metrics())
        return Outcome(directory=directory, is_finished=True, step=steps)
    return _run(recipe, directory, console, is_new=False)


def _run(recipe: Recipe, directory: Path, console: Console, *, is_new: bool) -> Outcome:
    threads = use_threads(recipe.engine.threads)
    keep_freed_memory()
    model, pools = _prepare(recipe, console)
    with ExitStack() as stack:
        verifier = stack.enter_context(make_verifier(recipe.verify))
        if has_programs((*pools.stages, *pools.suites.values())):
            console.note(f"programs run in a sandbox: {verifier.describe_sandbox()}")
        engine = stack.enter_context(
            local_engine(
                model, recipe.engine, recipe.optimizer, keep_reference=_keeps_reference(recipe)
            )
        )
        directory.mkdir(parents=True, exist_ok=True)
        stack.enter_context(only_process(directory))
        if is_new:
            write_atomic(directory / CONFIG, dump_recipe(recipe))
        keep_manifest(directory, problem_sets(recipe, pools))
        files = RunRecorder(directory)
        state = _restore(directory, engine, files, recipe, console)
        trackers = _open_trackers(recipe, directory, state.step, stack)
        stopper = stack.enter_context(stop_on_signal(console))
        trainer = Trainer(
            recipe=recipe,
            engine=engine,
            learner=engine,
            tokenizer=model.tokenizer,
            judge=judge_with(verifier),
            pools=pools.stages,
            suites=pools.suites,
            recorder=TrackedRecorder(files, trackers),
            display=console,
            save=lambda state: _save(directory, engine, state, recipe.checkpoint.keep),
            should_stop=stopper.is_set,
            state=state,
        )
        is_finished = trainer.run()
        if is_finished:
            model.save(directory / MODEL)
            write_summary(directory, recipe, files, trainer.state, threads=threads)
        write_page(directory, recipe, files)
    return Outcome(directory=directory, is_finished=is_finished, step=trainer.state.step)


def _prepare(recipe: Recipe, console: Console) -> tuple[LanguageModel, Pools]:
    """Load and check all that a run needs; nothing has been written yet."""
    for name in recipe.trackers:
        require_package(name)
    lists = load_problem_lists(sources_of(recipe))
    how = "" if is_at_hand(recipe.model.name) else " (fetched and converted once: a minute)"
    console.note(f"loading {recipe.model.name}{how}")
    model = load_model(recipe.model.name, seed=recipe.seed, device=recipe.engine.device)
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
    return f"{n / 1e6:.1f}M parameters; float32 training state {copies * 4 * n / 1e9:.2f} GB"


def _keeps_reference(recipe: Recipe) -> bool:
    """Say whether any stage measures its distance from the starting policy."""
    return any(stage.update.kl_coefficient > 0 for stage in recipe.stage)


# checkpoints


def _save(directory: Path, engine: LocalEngine, state: TrainState, keep: int) -> None:
    checkpoint.save(
        directory / CHECKPOINTS,
        step=state.step,
        state=state.to_json(),
        tensors=engine.state_dict(),
        keep=keep,
    )


def _restore(
    directory: Path,
    engine: LocalEngine,
    recorder: RunRecorder,
    recipe: Recipe,
    console: Console,
) -> TrainState:
    """Load the newest checkpoint, if any, and rewind the record to it."""
    found = checkpoint.load_latest(directory / CHECKPOINTS)
    if found is None:
        recorder.rewind(0)
        return initial_state(recipe)
    engine.load_state_dict(found.tensors)
    known = {field.name for field in fields(TrainState)}
    if found.state.keys() != known:
        raise CheckpointError(
            f"its state has other fields: {sorted(found.state.keys() ^ known)}",
            where=str(found.path),
            remedy="resume with the version of reasonrl that wrote it",
        )
    state = TrainState(**found.state)  # type: ignore[arg-type]
    engine.load_weights(engine.weights(), version=state.version)
    recorder.rewind(state.step)
    console.note(f"resuming {directory} after step {state.step}")
    return state
