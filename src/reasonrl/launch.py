"""Put a run together and start it: the only module that names concrete engines and files.

Everything that can be wrong is checked before the run directory is made, so that bad input leaves
nothing half-written.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import FrameType

from reasonrl import __version__, checkpoint
from reasonrl.config import (
    ArithmeticSource,
    DataConfig,
    FileSource,
    GymSource,
    Recipe,
    Source,
    dump_recipe,
    load_recipe,
)
from reasonrl.console import Console
from reasonrl.data.problems import load_problems
from reasonrl.data.sampler import filter_difficulty
from reasonrl.data.sources import arithmetic_problems, gym_problems
from reasonrl.engines.local import LocalEngine, OptimizerSettings, use_threads
from reasonrl.errors import CheckpointError, ConfigError, DataError
from reasonrl.evaluate import SuiteResult
from reasonrl.models.hf import LanguageModel, load_model
from reasonrl.record import RunRecorder, write_atomic
from reasonrl.report.page import render_page
from reasonrl.rollout import Answer, EncodedProblem, Judge, encode_problems, within_prompt_limit
from reasonrl.trainer import Trainer, TrainState, initial_state
from reasonrl.types import Problem, Verdict
from reasonrl.verify import Verifier, VerifyItem, supported_kinds

CONFIG, MODEL, CHECKPOINTS, PAGE = "config.toml", "model", "checkpoints", "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say how a call of `train` or `resume` ended."""

    directory: Path
    is_finished: bool
    step: int


def train(recipe: Recipe, directory: Path, console: Console) -> Outcome:
    """Start a run in a directory that holds none yet."""
    if (directory / CONFIG).exists():
        raise ConfigError(
            "this directory already holds a run",
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
    if (directory / "summary.json").exists():
        console.note(f"{directory} is finished; see {directory / PAGE}")
        steps = len(RunRecorder(directory).metrics())
        return Outcome(directory=directory, is_finished=True, step=steps)
    return _run(recipe, directory, console, is_new=False)


def _run(recipe: Recipe, directory: Path, console: Console, *, is_new: bool) -> Outcome:
    threads = use_threads(recipe.engine.threads)
    sources = _load_all_sources(recipe)
    console.note(f"loading {recipe.model.name}")
    model = load_model(recipe.model.name, seed=recipe.seed, device=recipe.engine.device)
    pools = [_encode_pool(recipe, model, number, sources) for number in range(len(recipe.stage))]
    suites = {
        suite.name: _encode(recipe, model, sources[suite.sources], suite.max_new_tokens)
        for suite in recipe.suite
    }
    with ExitStack() as stack:
        verifier = stack.enter_context(
            Verifier(workers=recipe.verify.workers, deadline_s=recipe.verify.deadline_s)
        )
        engine = stack.enter_context(_local_engine(recipe, model))
        directory.mkdir(parents=True, exist_ok=True)
        stack.enter_context(_only_process(directory))
        if is_new:
            write_atomic(directory / CONFIG, dump_recipe(recipe))
        recorder = RunRecorder(directory)
        state = _restore(directory, engine, recorder, recipe, console)
        stopper = stack.enter_context(_stop_on_signal(console))
        trainer = Trainer(
            recipe=recipe,
            engine=engine,
            learner=engine,
            tokenizer=model.tokenizer,
            judge=judge_with(verifier),
            pools=pools,
            suites=suites,
            recorder=recorder,
            display=console,
            save=lambda state: _save(directory, engine, state, recipe.checkpoint.keep),
            should_stop=stopper.is_set,
            state=state,
        )
        is_finished = trainer.run()
        if is_finished:
            _finish(directory, recipe, model, recorder, trainer.state, threads)
        _write_page(directory, recorder, recipe)
    return Outcome(directory=directory, is_finished=is_finished, step=trainer.state.step)


# problems


def _load_all_sources(recipe: Recipe) -> dict[tuple[Source, ...], list[Problem]]:
    """Load each distinct list of sources once; check kinds and sizes."""
    wanted = [
        *(stage.data.sources for stage in recipe.stage),
        *(suite.sources for suite in recipe.suite),
    ]
    found: dict[tuple[Source, ...], list[Problem]] = {}
    for sources in wanted:
        if sources not in found:
            found[sources] = [problem for one in sources for problem in load_source(one)]
            _check_problems(found[sources])
    return found


def load_source(source: Source) -> list[Problem]:
    """Return the problems of one `sources` entry."""
    match source:
        case FileSource():
            return load_problems(source.path)
        case ArithmeticSource():
            return arithmetic_problems(
                operators=source.operators,
                max_operand=source.max_operand,
                split=source.split,
                heldout=source.heldout,
            )
        case GymSource():
            return gym_problems(
                source.task, size=source.size, seed=source.seed, config=source.config
            )


def _check_problems(problems: Sequence[Problem]) -> None:
    seen: set[str] = set()
    for problem in problems:
        if problem.kind not in supported_kinds():
            raise DataError(
                f"problem {problem.id!r} is of kind {problem.kind}, which has no verifier yet",
                expected="one of " + ", ".join(sorted(supported_kinds())),
                remedy="leave these problems out",
            )
        if problem.id in seen:
            raise DataError(
                f"two sources hold a problem with id {problem.id!r}", remedy="rename one of them"
            )
        seen.add(problem.id)


def _encode_pool(
    recipe: Recipe,
    model: LanguageModel,
    number: int,
    sources: dict[tuple[Source, ...], list[Problem]],
) -> list[EncodedProblem]:
    """Return the problems that a stage may draw from, with their prompts' tokens."""
    stage = recipe.stage[number]
    problems = _filtered(stage.data, sources[stage.data.sources])
    kept = within_prompt_limit(
        encode_problems(problems, model.tokenizer, system_prompt=recipe.model.system_prompt),
        max_prompt_tokens=stage.rollout.max_prompt_tokens,
        max_new_tokens=stage.rollout.max_new_tokens,
        context=model.context,
    )
    if len(kept) < stage.rollout.prompts_per_step:
        raise DataError(
            f"stage {stage.name}: {len(kept)} problems cannot fill a step",
            where="rollout.prompts_per_step",
            expected=f"at most {len(kept)}",
            remedy="lower prompts_per_step or add problems",
        )
    return kept


def _filtered(data: DataConfig, problems: list[Problem]) -> list[Problem]:
    if data.difficulty is None:
        return problems
    wanted = data.difficulty
    return filter_difficulty(
        problems, wanted.model, minimum=wanted.minimum, maximum=wanted.maximum
    )


def _encode(
    recipe: Recipe, model: LanguageModel, problems: Sequence[Problem], max_new_tokens: int
) -> list[EncodedProblem]:
    return within_prompt_limit(
        encode_problems(problems, model.tokenizer, system_prompt=recipe.model.system_prompt),
        max_prompt_tokens=model.context,
        max_new_tokens=max_new_tokens,
        context=model.context,
    )


# engine, judge, checkpoints


def _local_engine(recipe: Recipe, model: LanguageModel) -> LocalEngine:
    settings = recipe.optimizer
    return LocalEngine(
        model,
        OptimizerSettings(
            betas=(settings.beta1, settings.beta2),
            epsilon=settings.epsilon,
            weight_decay=settings.weight_decay,
            max_gradient_norm=settings.max_gradient_norm,
        ),
        token_budget=recipe.engine.token_budget,
        max_rows=recipe.engine.max_rows,
        keep_reference=any(stage.update.kl_coefficient > 0 for stage in recipe.stage),
    )


def judge_with(verifier: Verifier) -> Judge:
    """Return the judge that the rollouts ask."""

    def judge(answers: Sequence[Answer]) -> list[Verdict]:
        return verifier.verify_batch(
            [
                VerifyItem(task=answer.task, response=answer.text, stop_reason=answer.stop)
                for answer in answers
            ]
        )

    return judge


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


# the end of a run


def _finish(
    directory: Path,
    recipe: Recipe,
    model: LanguageModel,
    recorder: RunRecorder,
    state: TrainState,
    threads: int,
) -> None:
    """Write the final model and the summary; the summary's presence marks a finished run."""
    model.save(directory / MODEL)
    by_suite: dict[str, list[SuiteResult]] = {}
    for result in recorder.evaluations():
        by_suite.setdefault(result.suite, []).append(result)
    evaluations = {
        name: {
            "before": _suite_summary(results[0]),
            "after": _suite_summary(results[-1]),
            "best": _suite_summary(max(results, key=lambda one: one.accuracy.value)),
        }
        for name, results in by_suite.items()
    }
    headline = evaluations[recipe.suite[0].name] if recipe.suite else {}
    recorder.summary(
        {
            "name": recipe.name,
            "seed": recipe.seed,
            "model": recipe.model.name,
            "steps": state.step,
            "train_wall_s": round(state.train_wall_s, 3),
            "eval": headline,
            "suites": evaluations,
            "weights_sha256": checkpoint.sha256(directory / MODEL / "model.safetensors"),
            "threads": threads,
            "reasonrl": __version__,
            "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    )


def _suite_summary(result: SuiteResult) -> dict[str, object]:
    full = asdict(result)
    full.pop("by_problem")
    accuracy = full.pop("accuracy")
    return {"value": accuracy["value"], "ci95": accuracy["ci95"], **full}


def _write_page(directory: Path, recorder: RunRecorder, recipe: Recipe) -> None:
    page = render_page(
        title=recipe.name, metrics=recorder.metrics(), evaluations=recorder.evaluations()
    )
    write_atomic(directory / PAGE, page)


# one process, and a way to stop it


@contextmanager
def _only_process(directory: Path) -> Iterator[None]:
    """Hold the run's lock; two processes would write over each other."""
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                "another process works on this run",
                where=str(directory),
                remedy="wait for it, or choose another --run-dir",
            ) from error
        yield


class _Stopper:
    """Remember that a person asked to stop."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self) -> None:
        self._asked = True

    def is_set(self) -> bool:
        return self._asked


@contextmanager
def _stop_on_signal(console: Console) -> Iterator[_Stopper]:
    """End after the current step on the first Ctrl-C or SIGTERM, at once on the second."""
    stopper = _Stopper()
    owner = os.getpid()

    def handle(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != owner or stopper.is_set():
            raise KeyboardInterrupt
        stopper.ask()
        console.note("stopping after this step, with a checkpoint; again to stop at once")

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
