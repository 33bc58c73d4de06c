"""A loaded model with its sampler and its judge: for evaluations and for difficulty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reasonrl.engines.protocols import RolloutEngine
from reasonrl.launch.actors import Workload
from reasonrl.launch.engines import is_on_cluster, judge_seats
from reasonrl.launch.judges import open_judge
from reasonrl.launch.models import NamedModel, note_backend, open_model, take_over
from reasonrl.launch.one_process import local_engine
from reasonrl.launch.own import NOTHING, Own, open_own_sampler
from reasonrl.launch.prompts import in_form
from reasonrl.launch.rewards import open_rewards
from reasonrl.models.hf import LanguageModel, check_device
from reasonrl.recipe import Component, EngineConfig, OptimizerConfig, PromptConfig, VerifyConfig
from reasonrl.reward.scoring import Rewards
from reasonrl.rollout.judge import Judge
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.run.layout import LOGS
from reasonrl.run.process import note_event
from reasonrl.terminal import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A loaded model with its sampler and its judge; `weights` is the hash of the weights."""

    named: NamedModel
    model: LanguageModel
    engine: RolloutEngine
    judge: Judge
    weights: str
    rewards: Rewards | None = None


@contextmanager
def open_subject(
    named: NamedModel,
    engine: EngineConfig,
    verify: VerifyConfig,
    problems: Sequence[Sequence[EncodedProblem]],
    directory: Path,
    console: Console,
    *,
    seed: int,
    context_tokens: int,
    prompts: PromptConfig,
    components: Sequence[Component] = (),
    own: Own = NOTHING,
) -> Iterator[Subject]:
    """Load a model in this process, or start replicas of it on the cluster that is open.

    `context_tokens` are those of the longest prompt and completion together. Of template and reward
    files a run's own copies are used.
    """
    console.note(f"loading {named.name}")
    note, logs = partial(note_event, directory, console), directory / LOGS
    if not is_on_cluster(engine):
        check_device(engine.device)
    model = in_form(open_model(named), prompts, named.run)
    note_backend(model, console)
    workload = _workload(named, seed=seed, context_tokens=context_tokens)
    with ExitStack() as stack:
        rewards = stack.enter_context(
            open_rewards(
                components, verify, run=named.run or directory, logs=logs, note=console.note
            )
        )
        holder = stack.enter_context(local_engine(model, engine, workload.optimizer))
        take_over(named, holder)
        sampler = stack.enter_context(
            open_own_sampler(own, engine, workload, holder, logs=logs, on_event=note)
        )
        seats = judge_seats(engine)
        judge = own.judge or stack.enter_context(
            open_judge(verify, problems, seats=seats, logs=logs, on_event=note, console=console)
        )
        yield Subject(
            named=named,
            model=model,
            engine=sampler,
            judge=judge,
            weights=model.digest(),
            rewards=rewards.function,
        )


def _workload(named: NamedModel, *, seed: int, context_tokens: int) -> Workload:
    """Return what engines that only sample must hold: a run's model by the run's backend."""
    recipe = named.recipe()
    return Workload(
        model=named.base,
        seed=seed,
        optimizer=OptimizerConfig(),
        context_tokens=context_tokens,
        backend="auto" if recipe is None else recipe.model.backend,
    )
