"""The pipelined loop: the next groups are sampled while the policy learns from the last groups.

It takes the steps of `trainer`, with one difference: a thread samples ahead, at most `staleness`
steps. Every sync reaches the samplers in the middle of their work, so a completion may hold tokens
of several versions. Old log-probabilities are always the learner's own, and importance weights
correct the rest (algo.correction).

Groups that were sampled ahead are not part of a checkpoint: a resumed run samples the same problems
again, with the checkpoint's policy. So its numbers differ from those of an uninterrupted run, which
depend on timing in any case; every step is still counted once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from reasonrl.errors import EngineError
from reasonrl.loop.clock import StepClock
from reasonrl.loop.stages import OpenStage
from reasonrl.loop.trainer import Sampled, Trainer
from reasonrl.recipe import PipelineConfig
from reasonrl.terminal import silent

Sample = Callable[[int], Sampled]
"""Sample the groups of the step with this number."""


class PipelinedTrainer:
    """A trainer whose steps learn from groups that were sampled ahead."""

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

    def _step(self, stage: OpenStage) -> None:
        trainer = self.trainer
        clock = StepClock()
        if self._ahead is None:
            self._ahead = self._open(stage)
        sampled = self._ahead.take()
        # Only the wait counts: the rest of the sampling ran beside the last updates.
        clock.lap("time/rollout_s")
        self._check_staleness(sampled, stage)
        trainer.learn_from(stage, sampled, clock, pipeline=self._pipeline)
        self._ahead.step_done()
        if trainer.open is not stage:
            # The next stage has other problems and other settings for sampling.
            self._close()

    def _open(self, stage: OpenStage) -> Ahead:
        trainer = self.trainer

        def sample(step: int) -> Sampled:
            return trainer.sample(stage, step, phase=silent)

        first = trainer.state.step + 1
        last = first + stage.settings.steps - trainer.state.stage.step - 1
        return Ahead(
            sample,
            first=first,
            last=last,
            staleness=self._pipeline.staleness,
            name=f"stage {stage.settings.name}",
        )

    def _close(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()

    def _check_staleness(self, sampled: Sampled, stage: OpenStage) -> None:
        update = stage.settings.update
        bound = self._pipeline.staleness * update.minibatches * update.reuse
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
    """A thread that samples steps, at most `staleness` steps before the policy learns from them.

    `take` raises the errors of the thread.
    """

    def __init__(self, sample: Sample, *, first: int, last: int, staleness: int, name: str) -> None:
        self._sample = sample
        self._steps = range(first, last + 1)
        self._staleness = staleness
        self._learned = first - 1
        self._ready: deque[Sampled | BaseException] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"sampling for {name}", daemon=True)
        self._thread.start()

    def take(self) -> Sampled:
        """Wait for the next step's groups and return them."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready)
            sampled = self._ready.popleft()
        if isinstance(sampled, BaseException):
            raise sampled
        return sampled

    def step_done(self) -> None:
        """Announce that the policy has learned from the last step and its weights are out."""
        with self._changed:
            self._learned += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Begin no further step. Groups that are being sampled are dropped when they end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            for step in self._steps:
                if not self._wait_for_turn(step):
                    return
                self._deliver(self._sample(step))
        except BaseException as error:  # noqa: BLE001  (`take` raises it in the main thread)
            self._deliver(error)

    def _wait_for_turn(self, step: int) -> bool:
        """Wait until a step may begin; return False when the loop has been closed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or step - 1 - self._learned <= self._staleness
            )
            return not self._is_closed

    def _deliver(self, sampled: Sampled | BaseException) -> None:
        with self._changed:
            self._ready.append(sampled)
            self._changed.notify_all()
