"""A run as it stood before a step: its engines, judges and problems, and the trainer's state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reasonrl.algo.select import AdvantageFunction
from reasonrl.diagnose.recorded import RolloutRow
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.errors import CheckpointError
from reasonrl.launch.advantages import load_advantages
from reasonrl.launch.engines import Engines, open_cluster, open_engines
from reasonrl.launch.judges import open_run_judge
from reasonrl.launch.own import NOTHING
from reasonrl.launch.prepare import prepare
from reasonrl.launch.rewards import open_rewards, term_of
from reasonrl.launch.session import workload_of
from reasonrl.loop.stages import reopen
from reasonrl.loop.state import TrainState, initial_state, read_state
from reasonrl.models.hf import LanguageModel
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.recipe import LocalEngineConfig, OwnModule, Recipe, Stage
from reasonrl.recipe.rewards import Component, JudgeReward
from reasonrl.reward.total import Term
from reasonrl.rollout.judge import Judge, RewardFunction
from reasonrl.rollout.pools import Pools
from reasonrl.run import checkpoint
from reasonrl.run.config import taken_config
from reasonrl.run.layout import checkpoint_before
from reasonrl.run.problem_sets import check_same, problem_sets, read_manifest
from reasonrl.run.sessions import read_sessions
from reasonrl.terminal import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The parts of a run before a step. `start` is the step of the checkpoint that was loaded.

    `is_exact` says that a repetition must be equal to the bit. `judge` and `rewards` are the real
    ones; `rewards` is None where a component is a judge behind an endpoint, which is not asked
    again.
    """

    recipe: Recipe
    model: LanguageModel
    pools: Pools
    engines: Engines
    judge: Judge | None
    rewards: RewardFunction | None
    advantages: Mapping[str, AdvantageFunction]
    state: TrainState
    start: int
    is_exact: bool

    @property
    def tokenizer(self) -> ChatTokenizer:
        return self.model.tokenizer

    def stage_of(self, row: RolloutRow) -> Stage:
        """Return the stage that a rollout was sampled in."""
        return next(stage for stage in self.recipe.stage if stage.name == row["stage"])

    @property
    def terms(self) -> Sequence[Term]:
        """Return the components of the reward, empty where the verdict is the reward."""
        return [term_of(component) for component in self.recipe.reward]

    @property
    def verifier_label(self) -> str:
        """Return the name of the component that is the verifier's."""
        labels = [one.label for one in self.recipe.reward if one.type == "verifier"]
        return labels[0] if labels else ""

    def stop_of(self, row: RolloutRow) -> str:
        """Return how a recorded rollout must have ended, by its tokens and its text."""
        tokens = row["tokens"]
        ends = bool(tokens) and tokens[-1] in self.model.eos_ids
        says = any(stop in row["text"] for stop in self.recipe.model.stop)
        return "stop" if ends or says else "length"


@contextmanager
def open_before(
    run: Path, step: int, console: Console, *, address: str | None = None
) -> Iterator[Opened]:
    """Open a run as it stood at its newest checkpoint before a step, or at its start.

    Nothing is written into the run. Raises CheckpointError for what cannot be repeated.
    """
    recipe = taken_config(run)
    sessions = read_sessions(run)
    keep_freed_memory()
    use_threads(_threads_of(sessions) or recipe.engine.threads)
    advantages = load_advantages(recipe, run, console.note)
    recipe, model, pools = prepare(recipe, run, console, NOTHING)
    stages = [one for one in problem_sets(recipe, pools) if one.use.startswith("stage ")]
    check_same(read_manifest(run), stages, where=str(run), origin=run)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(TemporaryDirectory(prefix="reasonrl-logs-")))
        rewards = stack.enter_context(
            open_rewards(_repeatable(recipe), recipe.verify, run=run, logs=logs, note=console.note)
        )
        stack.enter_context(open_cluster(recipe.engine, address))
        judge = stack.enter_context(open_run_judge(recipe, pools, logs, console))
        workload = workload_of(recipe, pools)
        engines = stack.enter_context(
            open_engines(recipe.engine, workload, model, logs=logs, on_event=console.note)
        )
        state = _restore(run, step, recipe, engines)
        yield Opened(
            recipe=recipe,
            model=model,
            pools=pools,
            engines=engines,
            judge=judge,
            rewards=rewards.function,
            advantages=advantages,
            state=state,
            start=state.step,
            is_exact=_is_exact(recipe),
        )


def _repeatable(recipe: Recipe) -> Sequence[Component]:
    """Return the components of the reward, none where one is a judge behind an endpoint."""
    has_judge = any(isinstance(one, JudgeReward) for one in recipe.reward)
    return () if has_judge else recipe.reward


def _restore(run: Path, step: int, recipe: Recipe, engines: Engines) -> TrainState:
    """Load the newest checkpoint before a step, if there is one; return the trainer's state."""
    before = checkpoint_before(run, step)
    if before is None:
        state = initial_state(recipe)
    else:
        point = checkpoint.load(before)
        state = read_state(point.state, where=str(point.path))
        reopen(recipe, state)
        engines.learner.load(point.path)
    engines.rollout.load_weights(engines.learner.weights(), version=state.version)
    if state.stage.number >= len(recipe.stage):
        raise CheckpointError(
            f"the recipe ends before step {step}", where=str(run), remedy="replay an earlier step"
        )
    return state


def _threads_of(sessions: Sequence[Mapping[str, object]]) -> int | None:
    """Return the threads of the run's last sitting: sums of floats depend on their number."""
    machine = sessions[-1].get("machine") if sessions else None
    threads = machine.get("threads") if isinstance(machine, Mapping) else None
    return threads if isinstance(threads, int) else None


def _is_exact(recipe: Recipe) -> bool:
    engine = recipe.engine
    is_local = isinstance(engine, LocalEngineConfig) and isinstance(engine.rollout, OwnModule)
    return is_local and engine.device == "cpu"
