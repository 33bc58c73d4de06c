"""A loaded model with what samples from it and judges it: for evaluations and for difficulty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reasonrl.engines.protocols import RolloutEngine
from reasonrl.launch.engines import Plan, local_engine, open_replicas
from reasonrl.launch.judges import open_judge
from reasonrl.launch.models import Place, open_model, take_over
from reasonrl.models.hf import LanguageModel
from reasonrl.recipe import EngineConfig, OptimizerConfig, VerifyConfig
from reasonrl.rollout.collect import Judge
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.run.layout import LOGS
from reasonrl.run.process import note_event
from reasonrl.terminal import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Hold a loaded model with what samples and judges; `weights` is their hash."""

    place: Place
    model: LanguageModel
    engine: RolloutEngine
    judge: Judge
    weights: str


@contextmanager
def open_subject(
    place: Place,
    engine: EngineConfig,
    verify: VerifyConfig,
    problems: Sequence[Sequence[EncodedProblem]],
    directory: Path,
    console: Console,
    *,
    seed: int,
    context: int,
) -> Iterator[Subject]:
    """Load a model in this process, or start replicas of it on the cluster that is open.

    `context` is the longest prompt and completion together.
    """
    console.note(f"loading {place.name}")
    is_here = engine.type == "local"
    note, logs = partial(note_event, directory, console), directory / LOGS
    model = open_model(place, device=engine.device if is_here else "cpu")
    with ExitStack() as stack:
        holder = stack.enter_context(local_engine(model, engine, OptimizerConfig()))
        take_over(place, holder)
        sampler: RolloutEngine = holder
        if not is_here:
            plan = Plan(
                engine=engine,
                optimizer=OptimizerConfig(),
                model=place.base,
                seed=seed,
                context=context,
            )
            sampler = stack.enter_context(open_replicas(plan, logs=logs, on_event=note))
            sampler.load_weights(holder.weights(), version=0)
        judge = stack.enter_context(
            open_judge(
                verify,
                problems,
                is_on_cluster=not is_here,
                logs=logs,
                on_event=note,
                console=console,
            )
        )
        yield Subject(place=place, model=model, engine=sampler, judge=judge, weights=model.digest())
