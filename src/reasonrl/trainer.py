"""MAGIC, as a loop: sample groups, judge them, keep those with a signal, learn, adapt, go on.

Reads like section 3.1 of the report. Knows engines, judge and recorder only by their protocols;
holds no device, file format or library detail. `launch` builds one and runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from reasonrl.algo import entropy
from reasonrl.algo.entropy import EntropyState
from reasonrl.algo.loss import Objective
from reasonrl.algo.select import SelectedGroup, Signal, select_group
from reasonrl.batch import build_batch, sampled_entropy, split_minibatches
from reasonrl.clock import StepClock
from reasonrl.config import Recipe, Stage, Suite
from reasonrl.data.sampler import ProblemSampler, SamplerState
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine, TrainBatch, UpdateStats
from reasonrl.engines.sync import Audit, push_weights
from reasonrl.evaluation.score import SuiteResult, describe
from reasonrl.evaluation.suite import evaluate_suite
from reasonrl.metrics import Row, rollout_metrics, selection_metrics, update_metrics
from reasonrl.rollout import EncodedProblem, Judge, Tokenizer, check_failures, collect
from reasonrl.seeds import derive_seed
from reasonrl.train_state import TrainState, entropy_control, has_plateaued
from reasonrl.types import EntropyMode, Group, Sampling


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


@dataclass(slots=True, kw_only=True)
class Trainer:
    """Hold the collaborators of a run and its state.

    `pools` holds each stage's encoded problems, `suites` each suite's. `save` writes a checkpoint,
    `should_stop` says whether a person asked to end after this step; `audit` bounds how far the
    samplers may score from the learner after a sync, None where both are one.
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
    _sampler: ProblemSampler = field(init=False)

    def run(self) -> bool:
        """Train to the end and make every evaluation; return False when stopped before that."""
        self._open_stage()
        saved_step = self.state.step
        while True:
            is_evaluated = self._evaluate_due()
            if self._is_finished or self.should_stop():
                if self.state.step != saved_step:
                    self.save(self.state)
                return self._is_finished and is_evaluated
            started = time.perf_counter()
            self._step(self.recipe.stage[self.state.stage])
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
        groups, selected = self._rollout(stage)
        self.recorder.rollouts(self.state.step + 1, stage.name, selected)
        check_failures(
            [rollout.verdict for group in groups for rollout in group.rollouts],
            max_share=self.recipe.verify.max_failed_share,
            what="verifications failed in one step",
            where="verify.max_failed_share",
            remedy="look at the newest file in the run's rollouts/; then `reasonrl resume`",
        )
        clock.lap("time/rollout_s")
        kept = [item for item in selected if item.signal is Signal.KEPT]
        batch, updates, control_row = self._learn(stage, kept)
        clock.lap("time/update_s")
        self.state.step += 1
        self.state.stage_step += 1
        metrics: Row = {
            "step": self.state.step,
            "stage": stage.name,
            "version": self.state.version,
            **rollout_metrics(groups),
            **selection_metrics(selected),
            **update_metrics(batch, updates),
            **control_row,
            "data/epoch": self._sampler.state().epoch,
        }
        self._remember(groups, metrics)
        metrics |= clock.finish()
        self.recorder.step(metrics)
        self.display.step(metrics, total=sum(one.steps for one in self.recipe.stage))
        self._close_stage_if_over(stage)

    def _rollout(self, stage: Stage) -> tuple[list[Group], list[SelectedGroup]]:
        """Return the step's groups and the selection; sample on for missing ones if allowed."""
        rollout = stage.rollout
        groups: list[Group] = []
        selected: list[SelectedGroup] = []
        for attempt in range(1 + rollout.refill_rounds):
            n_kept = sum(item.signal is Signal.KEPT for item in selected)
            missing = rollout.prompts_per_step - n_kept
            if missing == 0:
                break
            problems = [self._encoded[problem.id] for problem in self._sampler.take(missing)]
            with self.display.phase("rollout", missing * rollout.group_size) as progress:
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
                    seed_parts=(self.recipe.seed, "train", self.state.step + 1, attempt),
                    progress=progress,
                )
            groups += fresh
            selected += [select_group(group, stage.update.truncation) for group in fresh]
        return groups, selected

    def _learn(
        self, stage: Stage, kept: Sequence[SelectedGroup]
    ) -> tuple[TrainBatch, list[UpdateStats], Row]:
        """Run the step's N_SGD updates and the entropy controller; nothing without a signal."""
        control = entropy_control(stage.entropy)
        before = EntropyState(coefficient=self.state.coefficient, is_open=self.state.gate_open)
        batch = build_batch(kept)
        if not kept:
            return batch, [], _control_row(None, None, before) | {"sync/gap_nats": None}
        temperature, update = stage.rollout.temperature, stage.update
        is_on_policy = update.minibatches * update.reuse == 1
        if update.kl_coefficient:
            reference = self.learner.reference_logprobs(batch, temperature=temperature)
            batch = replace(batch, ref_logprobs_N=reference)
        if control.mode is EntropyMode.REPORT or not is_on_policy:
            old = self.learner.logprobs(batch, temperature=temperature)
            batch = replace(batch, old_logprobs_N=old)
        alpha = entropy.coefficient(control, before, sampled_entropy(batch))
        objective = Objective(
            clip_low=update.clip_low,
            clip_high=update.clip_high,
            entropy_coefficient=alpha,
            kl_coefficient=update.kl_coefficient,
            temperature=temperature,
        )
        updates = []
        with self.display.phase("update", batch.n_rollouts * update.reuse) as progress:
            for _ in range(update.reuse):
                for minibatch in split_minibatches(batch, update.minibatches):
                    updates.append(
                        self.learner.update(
                            minibatch,
                            objective,
                            learning_rate=update.learning_rate,
                            progress=progress,
                        )
                    )
        if batch.old_logprobs_N is None:  # on-policy: the update's own forward pass
            batch = replace(batch, old_logprobs_N=updates[0].logprobs_N)
        entropy_nats = sampled_entropy(batch)
        assert entropy_nats is not None  # noqa: S101  (old_logprobs are known by now)
        after = entropy.adapt(control, before, entropy_nats)
        self.state.coefficient, self.state.gate_open = after.coefficient, after.is_open
        self.state.version += len(updates)
        gap_nats = push_weights(
            self.engine,
            self.learner,
            version=self.state.version,
            batch=batch,
            audit=self.audit,
        )
        control_row = _control_row(entropy_nats, alpha, after) | {"sync/gap_nats": gap_nats}
        return batch, updates, control_row

    def _remember(self, groups: Sequence[Group], metrics: Row) -> None:
        """Keep what the plateau rule and the between-stage filter will ask for."""
        accuracy = metrics["accuracy/all"]
        if isinstance(accuracy, float):
            self.state.accuracies.append(accuracy)
        for group in groups:
            if rewards := group.rewards:
                share = sum(reward == 1.0 for reward in rewards) / len(rewards)
                self.state.last_scores[group.problem.id] = share
        self.state.sampler = self._sampler.state().to_json()

    # stages

    def _open_stage(self) -> None:
        """Make the sampler of the current stage, where the state left it."""
        if self._is_finished:
            return
        dropped = set(self.state.dropped)
        pool = self.pools[self.state.stage]
        self._encoded = {item.problem.id: item for item in pool if item.problem.id not in dropped}
        self._sampler = ProblemSampler(
            [item.problem for item in self._encoded.values()],
            seed=derive_seed(self.recipe.seed, "order", self.state.stage),
        )
        if self.state.sampler:
            self._sampler.restore(SamplerState.from_json(self.state.sampler))

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
            start = entropy.initial_state(entropy_control(following.entropy))
            state.coefficient, state.gate_open = start.coefficient, start.is_open
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


def _control_row(entropy_nats: float | None, alpha: float | None, after: EntropyState) -> Row:
    return {
        "entropy/nats": entropy_nats,
        "entropy/coefficient": alpha,
        "entropy/controller": after.coefficient,
        "entropy/gate_open": after.is_open,
    }
