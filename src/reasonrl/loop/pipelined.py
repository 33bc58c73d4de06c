"""The pipelined loop: the next groups are sampled while the policy learns from the last ones.

Beside `trainer`, whose steps it takes with one difference: where groups come from. A thread samples
ahead, at most `staleness` steps; every sync reaches it in the middle of what it samples, so a
completion may hold tokens of several versions. Old log-probabilities are always the learner's own
and importance weights make up for the rest (algo.correction).

Groups that were sampled ahead are not part of a checkpoint: a resumed run samples the same problems
anew, with the checkpoint's policy. So its numbers differ from an uninterrupted run's, which
depend on timing in any case; what was counted stays counted, once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from reasonrl.errors import EngineError
from reasonrl.loop.clock import StepClock
from reasonrl.loop.trainer import Sampled, Trainer
from reasonrl.recipe import PipelineConfig, Stage
from reasonrl.terminal import silent

Sample = Callable[[int], Sampled]
"""Sample the groups of a step, by its number."""


class PipelinedTrainer:
    """Run a trainer's steps on groups that were sampled ahead."""

    def __init__(self, trainer: Trainer, pipeline: PipelineConfig) -> None:
        self.trainer = trainer
        self._pipeline = pipeline
        self._ahead: Ahead | None = None

    def run(self) -> bool:
        """Train to the end and make every evaluation; return False when stopped before that."""
        try:
            return self.trainer.run(self._step)
        finally:
            self._close()

    def _step(self, stage: Stage) -> None:
        trainer, state = self.trainer, self.trainer.state
        clock = StepClock()
        if self._ahead is None:
            self._ahead = self._open(stage)
        sampled = self._ahead.take()
        clock.lap("time/rollout_s")  # what was left to wait for
        self._check_staleness(sampled, stage)
        place = state.stage
        trainer.learn_from(stage, sampled, clock, pipeline=self._pipeline)
        self._ahead.step_done()
        if state.stage != place:  # the next stage samples otherwise
            self._close()

    def _open(self, stage: Stage) -> Ahead:
        trainer = self.trainer
        sampler, place = trainer.sampler, trainer.state.stage  # this stage's: the next has another

        def sample(step: int) -> Sampled:
            return trainer.sample(stage, step, sampler, phase=silent)

        first = trainer.state.step + 1
        last = first + stage.steps - trainer.state.stage_step - 1
        return Ahead(
            sample,
            first=first,
            last=last,
            staleness=self._pipeline.staleness,
            name=f"stage {place}",
        )

    def _close(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()

    def _check_staleness(self, sampled: Sampled, stage: Stage) -> None:
        bound = self._pipeline.staleness * stage.update.minibatches * stage.update.reuse
        oldest = min(
            rollout.completion.version for group in sampled.groups for rollout in group.rollouts
        )
        if (behind := self.trainer.state.version - oldest) > bound:
            raise EngineError(
                f"a rollout was sampled {behind} updates ago",
                where="pipeline.staleness",
                expected=f"at most {bound}",
            )


class Ahead:
    """Sample steps on a thread, none more than `staleness` steps before it is learned from.

    What goes wrong there is raised by `take`.
    """

    def __init__(self, sample: Sample, *, first: int, last: int, staleness: int, name: str) -> None:
        self._sample = sample
        self._steps = range(first, last + 1)
        self._staleness = staleness
        self._done = first - 1  # the last step that was learned from
        self._ready: deque[Sampled | BaseException] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"sampling for {name}", daemon=True)
        self._thread.start()

    def take(self) -> Sampled:
        """Return the next step's groups, when they are there."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready)
            found = self._ready.popleft()
        if isinstance(found, BaseException):
            raise found
        return found

    def step_done(self) -> None:
        """Say that the step last taken has been learned from and its weights are out."""
        with self._changed:
            self._done += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Begin nothing more. What is being sampled ends unseen, or with its engine."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            for step in self._steps:
                if not self._wait_for_turn(step):
                    return
                self._deliver(self._sample(step))
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            self._deliver(error)

    def _wait_for_turn(self, step: int) -> bool:
        """Wait until a step may be begun; return False when no more are wanted."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or step - 1 - self._done <= self._staleness
            )
            return not self._is_closed

    def _deliver(self, found: Sampled | BaseException) -> None:
        with self._changed:
            self._ready.append(found)
            self._changed.notify_all()
