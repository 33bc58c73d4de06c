"""From one stage to the next: when a stage is over, what the next one keeps, what it leaves out.

Called by the trainer after each step. Section 3.2.2 of the report has the stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reasonrl.algo import entropy
from reasonrl.data.mixture import MixtureSampler
from reasonrl.data.sampler import ProblemSampler
from reasonrl.engines.protocols import LearnerEngine
from reasonrl.loop.state import StageState, TrainState
from reasonrl.recipe import Recipe, Stage
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.seeds import derive_seed
from reasonrl.types import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenStage:
    """A stage that steps are taken in: its settings, its problems, and the sampler of these."""

    settings: Stage
    encoded: Mapping[str, EncodedProblem]
    sampler: ProblemSampler | MixtureSampler

    def take(self, n: int) -> list[EncodedProblem]:
        """Return the next n problems."""
        return [self.encoded[problem.id] for problem in self.sampler.take(n)]


def open_stage(
    recipe: Recipe, pools: Sequence[Sequence[EncodedProblem]], state: StageState
) -> OpenStage:
    """Return the current stage, with its sampler where the state left it."""
    dropped = set(state.dropped)
    encoded = {
        item.problem.id: item for item in pools[state.number] if item.problem.id not in dropped
    }
    stage = recipe.stage[state.number]
    seed = derive_seed(recipe.seed, "order", state.number)
    sampler = make_sampler([item.problem for item in encoded.values()], stage, seed)
    if state.sampler is not None:
        sampler.restore(state.sampler)  # type: ignore[arg-type]  # of the same recipe
    return OpenStage(settings=stage, encoded=encoded, sampler=sampler)


def make_sampler(
    problems: Sequence[Problem], stage: Stage, seed: int
) -> ProblemSampler | MixtureSampler:
    """Return the order of a stage's problems: all alike, or each source by its weight."""
    weights = [source.weight for source in stage.data.sources if source.weight is not None]
    if not weights:
        return ProblemSampler(problems, seed=seed)
    parts: list[list[Problem]] = [[] for _ in weights]
    for problem in problems:
        parts[problem.part].append(problem)
    seeds = [derive_seed(seed, "source", number) for number in range(len(parts))]
    return MixtureSampler(parts, weights, seeds=seeds)


def reason_to_end(stage: Stage, state: StageState) -> str:
    """Return why a stage is over after the step just taken; empty when it is not."""
    if stage.plateau is not None and stage.plateau.is_reached(state.accuracies):
        return "plateau"
    return f"{stage.steps} steps" if state.step >= stage.steps else ""


def reopen(recipe: Recipe, state: TrainState) -> None:
    """Go back into the last stage of a finished run if the recipe has more steps for it by now."""
    is_finished = state.stage.number == len(recipe.stage)
    if is_finished and 0 < state.stage.step < recipe.stage[-1].steps:
        state.stage.number -= 1


def next_stage(
    recipe: Recipe,
    pools: Sequence[Sequence[EncodedProblem]],
    state: TrainState,
    learner: LearnerEngine,
    note: Callable[[str], None],
) -> None:
    """Change `state` and the optimizer to what the next stage starts from."""
    solved = state.stage.solved()
    if state.stage.number + 1 == len(recipe.stage):
        # The last stage keeps its place, so that a run can be given more steps.
        state.stage.number += 1
        return
    state.stage = StageState(number=state.stage.number + 1)
    stage = recipe.stage[state.stage.number]
    if stage.drop_solved:
        state.stage.dropped = _droppable(stage, pools[state.stage.number], solved, note)
    if stage.optimizer_state == "reset":
        learner.reset_optimizer()
    if stage.entropy_state == "reset":
        state.entropy = entropy.initial_state(stage.entropy.control)


def _droppable(
    stage: Stage,
    pool: Sequence[EncodedProblem],
    solved: Sequence[str],
    note: Callable[[str], None],
) -> list[str]:
    """Return the solved problems of a pool, or none when too few would be left for a step."""
    ids = {item.problem.id for item in pool}
    left = len(ids.difference(solved))
    if left < stage.rollout.prompts_per_step:
        note(
            f"stage {stage.name}: drop_solved would leave {left} problems for steps of "
            f"{stage.rollout.prompts_per_step}; all are kept"
        )
        return []
    dropped = sorted(ids.intersection(solved))
    note(f"stage {stage.name}: {len(dropped)} solved problems dropped")
    return dropped
