"""MAGIC, as a loop: sample groups, judge them, keep those with a signal, learn, adapt, repeat.

Reads like section 3.1 of the report. Knows engines, judge and recorder only by their protocols;
holds no device, file format or library detail. `launch` builds a trainer and runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from reasonrl.algo import entropy
from reasonrl.algo.select import AdvantageFunction, SelectedGroup, Signal
from reasonrl.data.mixture import MixtureState
from reasonrl.data.sampler import SamplerState
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine
from reasonrl.engines.sync import Audit, push_weights
from reasonrl.errors import VerifierError
from reasonrl.evaluation.best import best_step
from reasonrl.evaluation.samples import sample_rows
from reasonrl.evaluation.score import SuiteResult
from reasonrl.evaluation.suite import MemoryJournal, evaluate_suite
from reasonrl.loop.clock import StepClock
from reasonrl.loop.evaluations import due_suites, evaluate_due
from reasonrl.loop.learn import Learned, known_entropy, learn, prepare, token_record
from reasonrl.loop.metrics import (
    control_metrics,
    rollout_metrics,
    selection_metrics,
    source_metrics,
    staleness_metrics,
    update_metrics,
)
from reasonrl.loop.seams import Display, Recorder
from reasonrl.loop.stages import OpenStage, next_stage, open_stage, reason_to_end
from reasonrl.loop.state import TrainState
from reasonrl.loop.variants import select
from reasonrl.recipe import PipelineConfig, Recipe, Suite, source_labels
from reasonrl.rollout.collect import collect
from reasonrl.rollout.judge import Judge, RewardFunction, check_step
from reasonrl.rollout.problems import EncodedProblem, Tokenizer
from reasonrl.seeds import derive_seed
from reasonrl.types import Group, Phase, Row


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """The groups of one step with their selection, and the sampler's state after them."""

    groups: list[Group]
    selected: list[SelectedGroup]
    sampler: SamplerState | MixtureState

    @property
    def kept(self) -> list[SelectedGroup]:
        """Return the groups that have a signal."""
        return [group for group in self.selected if group.signal is Signal.KEPT]


@dataclass(slots=True, kw_only=True)
class Trainer:
    """The collaborators of a run, and its state.

    `pools` holds each stage's encoded problems, `suites` each suite's. `save` writes a checkpoint.
    `should_stop` returns whether a person asked to end after this step. `judge` is None where no
    component of the reward asks the verifier, `rewards` where the verdict is the reward;
    `advantages` are a user's own, by `update.advantage`. `audit` bounds the distance between
    samplers and learner after a sync; it is None where both are one module. `open` is the current
    stage, None when the run is finished.
    """

    recipe: Recipe
    engine: RolloutEngine
    learner: LearnerEngine
    tokenizer: Tokenizer
    judge: Judge | None
    pools: Sequence[Sequence[EncodedProblem]]
    suites: Mapping[str, Sequence[EncodedProblem]]
    recorder: Recorder
    display: Display
    save: Callable[[TrainState], None]
    should_stop: Callable[[], bool]
    state: TrainState
    rewards: RewardFunction | None = None
    advantages: Mapping[str, AdvantageFunction] = field(default_factory=dict)
    audit: Audit | None = None
    open: OpenStage | None = field(init=False, default=None)

    def run(self, take_step: Callable[[OpenStage], None] | None = None) -> bool:
        """Train to the end and make every evaluation; return False when stopped before that.

        `take_step` replaces this loop's own way to take a step.
        """
        take_step = take_step or self.step
        if not self._is_finished:
            self.open = open_stage(self.recipe, self.pools, self.state.stage)
        saved = self.state.step
        while True:
            is_evaluated = self._evaluate_due()
            if self.state.step != saved and self._is_best():
                self.save(self.state)
                saved = self.state.step
            if self.open is None or self.should_stop():
                if self.state.step != saved:
                    self.save(self.state)
                return self._is_finished and is_evaluated
            try:
                with self._timed():
                    take_step(self.open)
            except VerifierError:
                # Nothing was learned from this step: the state is that of the step before.
                if self.state.step != saved:
                    self.save(self.state)
                raise
            if self._is_finished or self.state.step % self.recipe.checkpoint.every == 0:
                with self._timed():
                    self.save(self.state)
                saved = self.state.step

    # one step

    def step(self, stage: OpenStage) -> None:
        """Take one step of eq. 3.1: rollout, selection, updates, entropy control."""
        clock = StepClock()
        sampled = self.sample(stage, self.state.step + 1, phase=self.display.phase)
        clock.lap("time/rollout_s")
        self.learn_from(stage, sampled, clock)

    def sample(self, stage: OpenStage, step: int, *, phase: Phase) -> Sampled:
        """Return a step's groups and their selection.

        With `refill_rounds`, groups without a signal are replaced by sampling more problems.
        """
        rollout, update = stage.settings.rollout, stage.settings.update
        groups: list[Group] = []
        selected: list[SelectedGroup] = []
        for attempt in range(1 + rollout.refill_rounds):
            n_kept = sum(group.signal is Signal.KEPT for group in selected)
            missing = rollout.prompts_per_step - n_kept
            if missing == 0:
                break
            with phase("rollout", missing * rollout.group_size) as progress:
                fresh = collect(
                    self.engine,
                    self.tokenizer,
                    self.judge,
                    stage.take(missing),
                    rollout.sampling(self.recipe.model.stop),
                    seed_parts=(self.recipe.seed, "train", step, attempt),
                    rewards=self.rewards,
                    progress=progress,
                )
            groups += fresh
            selected += [select(group, update, self.advantages) for group in fresh]
        return Sampled(groups=groups, selected=selected, sampler=stage.sampler.state())

    def learn_from(
        self,
        stage: OpenStage,
        sampled: Sampled,
        clock: StepClock,
        *,
        pipeline: PipelineConfig | None = None,
    ) -> None:
        """Take the rest of a step: record its groups, learn from them, record what that did."""
        state = self.state
        self.recorder.rollouts(state.step + 1, stage.settings.name, sampled.selected)
        rollouts = [rollout for group in sampled.groups for rollout in group.rollouts]
        check_step(rollouts, self.rewards, max_share=self.recipe.verify.max_failed_share)
        stale = staleness_metrics(sampled.kept, state.version)
        learned = alpha = gap_nats = None
        if sampled.kept:
            learned, alpha = self._learn(stage, sampled.kept, pipeline)
            self.recorder.tokens(state.step + 1, token_record(sampled.kept, learned))
        clock.lap("time/update_s")
        if learned is not None:
            gap_nats = self._adapt(stage, learned)
        clock.lap("time/sync_s")
        state.step += 1
        state.stage.step += 1
        metrics: Row = {
            "step": state.step,
            "stage": stage.settings.name,
            "version": state.version,
            **rollout_metrics(sampled.groups),
            **source_metrics(sampled.groups, source_labels(stage.settings.data.sources)),
            **selection_metrics(sampled.selected),
            **update_metrics(learned),
            **stale,
            **control_metrics(learned, alpha, state.entropy),
            "sync/gap_nats": gap_nats,
            "data/epoch": sampled.sampler.epoch,
        }
        self._remember(sampled, metrics)
        metrics |= clock.finish()
        self.recorder.step(metrics)
        self.display.step(metrics, total=sum(item.steps for item in self.recipe.stage))
        self._end_stage_if_over(stage)

    def _learn(
        self,
        stage: OpenStage,
        kept: Sequence[SelectedGroup],
        pipeline: PipelineConfig | None,
    ) -> tuple[Learned, float]:
        """Run the step's updates; return what they did, and alpha_k, their entropy weight."""
        settings = stage.settings
        seed = derive_seed(self.recipe.seed, "focus", self.state.step + 1)
        batch = prepare(kept, self.learner, settings, pipeline=pipeline, seed=seed)
        alpha = entropy.alpha(settings.entropy.control, self.state.entropy, known_entropy(batch))
        learned = learn(
            batch,
            self.learner,
            settings,
            alpha=alpha,
            step=self.state.stage.step,
            phase=self.display.phase,
        )
        return learned, alpha

    def _adapt(self, stage: OpenStage, learned: Learned) -> float | None:
        """Adapt the entropy controller (eq. 3.2) and give the samplers the new weights.

        Returns the audit's distance in nats, None without an audit.
        """
        state, control = self.state, stage.settings.entropy.control
        state.entropy = entropy.adapt(control, state.entropy, learned.entropy_nats)
        state.version += len(learned.updates)
        return push_weights(
            self.engine, self.learner,
            version=state.version, batch=learned.batch, audit=self.audit,
        )  # fmt: skip

    def _remember(self, sampled: Sampled, metrics: Row) -> None:
        """Keep what the plateau rule, the between-stage filter and a resume will ask for."""
        stage = self.state.stage
        # Without a verifier the mean reward is all that can rise.
        accuracy = metrics["accuracy/all" if self.recipe.has_verifier else "reward/mean"]
        if isinstance(accuracy, float):
            stage.accuracies.append(accuracy)
        for group in sampled.groups:
            if (share := group.share_right) is not None:
                stage.last_scores[group.problem.id] = share
        stage.sampler = sampled.sampler

    def _end_stage_if_over(self, stage: OpenStage) -> None:
        reason = reason_to_end(stage.settings, self.state.stage)
        if not reason:
            return
        note = self.display.note
        note(f"stage {stage.settings.name} ends at step {self.state.step} ({reason})")
        next_stage(self.recipe, self.pools, self.state, self.learner, note)
        is_left = not self._is_finished
        self.open = open_stage(self.recipe, self.pools, self.state.stage) if is_left else None

    @property
    def _is_finished(self) -> bool:
        return self.state.stage.number == len(self.recipe.stage)

    def _is_best(self) -> bool:
        """Return whether this step's evaluation is the best by the suite of `checkpoint.best`."""
        best, step = self.recipe.checkpoint.best, self.state.step
        is_due = best in [suite.name for suite in self._due()]
        return is_due and best_step(self.recorder.evaluations(), best) == step

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the time of a step or a checkpoint as training time."""
        started = time.perf_counter()
        yield
        self.state.train_wall_s += time.perf_counter() - started

    # evaluation

    def _evaluate_due(self) -> bool:
        """Evaluate what is due at this step; False when a wish to stop left something out."""
        return evaluate_due(
            self._due(), self.state.step, self._evaluate, self.recorder,
            should_stop=self.should_stop, note=self.display.note,
        )  # fmt: skip

    def _due(self) -> list[Suite]:
        return due_suites(self.recipe, self.state.step, is_last=self._is_finished)

    def _evaluate(self, suite: Suite) -> SuiteResult:
        journal, encoded, step = MemoryJournal(), self.suites[suite.name], self.state.step
        result = evaluate_suite(
            suite.name, self.engine, self.tokenizer, self.judge, encoded,
            suite.sampling(self.recipe.model.stop), journal=journal,
            run_seed=suite.seed_in(self.recipe.seed), step=step,
            max_failed_share=self.recipe.verify.max_failed_share,
            phase=self.display.phase, rewards=self.rewards,
        )  # fmt: skip
        rows = sample_rows(encoded, suite.k, journal, self.tokenizer, suite=suite.name)
        self.recorder.samples(suite.name, step, rows)
        return result
