"""MAGIC, as a loop: sample groups, judge them, keep those with a signal, learn, adapt, go on.

Reads like section 3.1 of the report. Knows engines, judge and recorder only by their protocols;
holds no device, file format or library detail. `launch` builds one and runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from reasonrl.algo import entropy
from reasonrl.algo.select import SelectedGroup, Signal, select_group
from reasonrl.data.sampler import ProblemSampler, SamplerState
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine
from reasonrl.engines.sync import Audit
from reasonrl.evaluation.score import SuiteResult, describe
from reasonrl.evaluation.suite import evaluate_suite
from reasonrl.loop.clock import StepClock
from reasonrl.loop.learn import learn
from reasonrl.loop.metrics import (
    rollout_metrics,
    selection_metrics,
    staleness_metrics,
    update_metrics,
)
from reasonrl.loop.state import TrainState, entropy_control, has_plateaued
from reasonrl.recipe import PipelineConfig, Recipe, Stage, Suite
from reasonrl.rollout.collect import Judge, check_failures, collect
from reasonrl.rollout.problems import EncodedProblem, Tokenizer
from reasonrl.seeds import derive_seed
from reasonrl.types import Group, Phase, Row, Sampling


class Recorder(Protocol):
    """Keep what happened."""

    def rollouts(self, step: int, stage: str, selected: Sequence[SelectedGroup]) -> None: ...
    def step(self, metrics: Row) -> None: ...
    def evaluation(self, result: SuiteResult) -> None: ...
    def evaluations(self) -> list[SuiteResult]: ...


class Display(Protocol):
    """Show a person what goes on."""

    def note(self, text: str) -> None: ...
    def step(self, metrics: Row, *, total: int) -> None: ...
    def phase(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """Hold what was sampled for one step, with its selection, and where the sampler then stood."""

    groups: list[Group]
    selected: list[SelectedGroup]
    sampler: SamplerState


@dataclass(slots=True, kw_only=True)
class Trainer:
    """Hold the collaborators of a run and its state.

    `pools` holds each stage's encoded problems, `suites` each suite's. `save` writes a checkpoint,
    `should_stop` says whether a person asked to end after this step; `audit` bounds how far the
    samplers may score from the learner after a sync, None where both are one. `sampler` draws the
    problems of the current stage.
    """

    recipe: Recipe
    engine: RolloutEngine
    learner: LearnerEngine
    tokenizer: Tokenizer
    judge: Judge
    pools: Sequence[Sequence[EncodedProblem]]
    suites: Mapping[str, Sequence[EncodedProblem]]
    recorder: Recorder
    display: Display
    save: Callable[[TrainState], None]
    should_stop: Callable[[], bool]
    state: TrainState
    audit: Audit | None = None
    _encoded: dict[str, EncodedProblem] = field(init=False)
    sampler: ProblemSampler = field(init=False)

    def run(self, step: Callable[[Stage], None] | None = None) -> bool:
        """Train to the end and make every evaluation; return False when stopped before that.

        `step` takes a step in another way than this loop's own.
        """
        step = step or self._step
        self._open_stage()
        saved_step = self.state.step
        while True:
            is_evaluated = self._evaluate_due()
            if self._is_finished or self.should_stop():
                if self.state.step != saved_step:
                    self.save(self.state)
                return self._is_finished and is_evaluated
            started = time.perf_counter()
            step(self.recipe.stage[self.state.stage])
            self.state.train_wall_s += time.perf_counter() - started
            if self._is_finished or self.state.step % self.recipe.checkpoint.every == 0:
                started = time.perf_counter()
                self.save(self.state)
                self.state.train_wall_s += time.perf_counter() - started
                saved_step = self.state.step

    @property
    def _is_finished(self) -> bool:
        return self.state.stage == len(self.recipe.stage)

    # one step

    def _step(self, stage: Stage) -> None:
        """Take one step of eq. 3.1: rollout, selection, updates, entropy control."""
        clock = StepClock()
        sampled = self.sample(stage, self.state.step + 1, self.sampler, phase=self.display.phase)
        clock.lap("time/rollout_s")
        self.learn_from(stage, sampled, clock, pipeline=None)

    def sample(self, stage: Stage, step: int, sampler: ProblemSampler, *, phase: Phase) -> Sampled:
        """Return a step's groups and the selection; sample on for missing ones if allowed."""
        rollout = stage.rollout
        groups: list[Group] = []
        selected: list[SelectedGroup] = []
        for attempt in range(1 + rollout.refill_rounds):
            n_kept = sum(item.signal is Signal.KEPT for item in selected)
            missing = rollout.prompts_per_step - n_kept
            if missing == 0:
                break
            problems = [self._encoded[problem.id] for problem in sampler.take(missing)]
            with phase("rollout", missing * rollout.group_size) as progress:
                fresh = collect(
                    self.engine,
                    self.tokenizer,
                    self.judge,
                    problems,
                    Sampling(
                        max_new_tokens=rollout.max_new_tokens,
                        temperature=rollout.temperature,
                        group_size=rollout.group_size,
                    ),
                    seed_parts=(self.recipe.seed, "train", step, attempt),
                    progress=progress,
                )
            groups += fresh
            update = stage.update
            selected += [
                select_group(group, update.truncation, is_scaled=update.scale_advantages)
                for group in fresh
            ]
        return Sampled(groups=groups, selected=selected, sampler=sampler.state())

    def learn_from(
        self, stage: Stage, sampled: Sampled, clock: StepClock, *, pipeline: PipelineConfig | None
    ) -> None:
        """Take the rest of a step: record what was sampled, learn, record what that did."""
        groups, selected, state = sampled.groups, sampled.selected, self.state
        self.recorder.rollouts(state.step + 1, stage.name, selected)
        check_failures(
            [rollout.verdict for group in groups for rollout in group.rollouts],
            max_share=self.recipe.verify.max_failed_share,
            what="verifications failed in one step",
            where="verify.max_failed_share",
            remedy="look at the newest file in the run's rollouts/; then `reasonrl resume`",
        )
        kept = [item for item in selected if item.signal is Signal.KEPT]
        stale = staleness_metrics(kept, state.version)
        learned = learn(
            self.engine,
            self.learner,
            stage,
            state,
            kept,
            seed=derive_seed(self.recipe.seed, "focus", state.step + 1),
            pipeline=pipeline,
            audit=self.audit,
            phase=self.display.phase,
        )
        clock.lap("time/update_s")
        state.step += 1
        state.stage_step += 1
        metrics: Row = {
            "step": state.step,
            "stage": stage.name,
            "version": state.version,
            **rollout_metrics(groups),
            **selection_metrics(selected),
            **update_metrics(learned.batch, learned.updates),
            **stale,
            **learned.control,
            "data/epoch": sampled.sampler.epoch,
        }
        self._remember(sampled, metrics)
        metrics |= clock.finish()
        self.recorder.step(metrics)
        self.display.step(metrics, total=sum(one.steps for one in self.recipe.stage))
        self._close_stage_if_over(stage)

    def _remember(self, sampled: Sampled, metrics: Row) -> None:
        """Keep what the plateau rule and the between-stage filter will ask for."""
        accuracy = metrics["accuracy/all"]
        if isinstance(accuracy, float):
            self.state.accuracies.append(accuracy)
        for group in sampled.groups:
            if rewards := group.rewards:
                share = sum(reward == 1.0 for reward in rewards) / len(rewards)
                self.state.last_scores[group.problem.id] = share
        self.state.sampler = sampled.sampler.to_json()

    # stages

    def _open_stage(self) -> None:
        """Make the sampler of the current stage, where the state left it."""
        if self._is_finished:
            return
        dropped = set(self.state.dropped)
        pool = self.pools[self.state.stage]
        self._encoded = {item.problem.id: item for item in pool if item.problem.id not in dropped}
        self.sampler = ProblemSampler(
            [item.problem for item in self._encoded.values()],
            seed=derive_seed(self.recipe.seed, "order", self.state.stage),
        )
        if self.state.sampler:
            self.sampler.restore(SamplerState.from_json(self.state.sampler))

    def _close_stage_if_over(self, stage: Stage) -> None:
        """Go to the next stage when this one has had its steps or has stopped gaining."""
        state = self.state
        is_flat = has_plateaued(state.accuracies, stage)
        if state.stage_step < stage.steps and not is_flat:
            return
        reason = "plateau" if is_flat else f"{stage.steps} steps"
        self.display.note(f"stage {stage.name} ends at step {state.step} ({reason})")
        state.stage += 1
        state.stage_step, state.sampler = 0, ""
        solved = [name for name, score in state.last_scores.items() if score == 1.0]
        state.accuracies, state.last_scores, state.dropped = [], {}, []
        if self._is_finished:
            return
        following = self.recipe.stage[state.stage]
        if following.drop_solved:
            self._drop_solved(following, solved)
        if following.optimizer_state == "reset":
            self.learner.reset_optimizer()
        if following.entropy_state == "reset":
            state.entropy = entropy.initial_state(entropy_control(following.entropy))
        self._open_stage()

    def _drop_solved(self, stage: Stage, solved: Sequence[str]) -> None:
        """Take out what the last stage solved, unless too little would be left to fill a step."""
        pool = {item.problem.id for item in self.pools[self.state.stage]}
        left = len(pool.difference(solved))
        if left < stage.rollout.prompts_per_step:
            self.display.note(
                f"stage {stage.name}: drop_solved would leave {left} problems for steps of "
                f"{stage.rollout.prompts_per_step}; all are kept"
            )
            return
        self.state.dropped = sorted(pool.intersection(solved))
        self.display.note(f"stage {stage.name}: {len(self.state.dropped)} solved problems dropped")

    # evaluation

    def _evaluate_due(self) -> bool:
        """Evaluate the suites that are due at this step and not yet recorded.

        Return False when a person's wish to stop left some of them out.
        """
        step = self.state.step
        due = [
            suite
            for suite in self.recipe.suite
            if step == 0 or self._is_finished or (suite.every > 0 and step % suite.every == 0)
        ]
        if not due:
            return True
        done = {(result.suite, result.step) for result in self.recorder.evaluations()}
        for suite in due:
            if (suite.name, step) in done:
                continue
            if self.should_stop():
                return False
            result = self._evaluate(suite)
            self.recorder.evaluation(result)
            self.display.note(describe(result))
        return True

    def _evaluate(self, suite: Suite) -> SuiteResult:
        return evaluate_suite(
            suite.name,
            self.engine,
            self.tokenizer,
            self.judge,
            self.suites[suite.name],
            suite.sampling,
            run_seed=self.recipe.seed,
            step=self.state.step,
            max_failed_share=self.recipe.verify.max_failed_share,
            phase=self.display.phase,
        )
