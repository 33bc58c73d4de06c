"""Repeat a recorded step, and hold every number that it recorded against what comes out.

The step is the trainer's own, on the recorded rollouts: `diagnose.player` stands for the sampler.
An independent check, which shares no code with the package, is `tests/e2e/replay.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reasonrl.diagnose.compare import Capture, compare_sampler, compare_step, compare_weights
from reasonrl.diagnose.differences import EXACT, LOOSE, Bounds, Compared
from reasonrl.diagnose.player import Player
from reasonrl.diagnose.recorded import read_rows
from reasonrl.diagnose.states import Opened, open_before
from reasonrl.engines.threads import use_threads
from reasonrl.errors import CheckpointError, RefusedError
from reasonrl.loop.clock import StepClock
from reasonrl.loop.stages import open_stage
from reasonrl.loop.trainer import Trainer
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.run.record import RunRecorder
from reasonrl.terminal import Console
from reasonrl.types import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A step that was repeated: from which checkpoint, under which bounds, and what differs.

    `start` is the step of the checkpoint, 0 for the starting model. `weights` says how the weights
    behind the step were compared.
    """

    step: int
    start: int
    is_exact: bool
    bounds: Bounds
    comparison: Compared
    weights: str

    @property
    def is_equal(self) -> bool:
        return not self.comparison.differences


def replay(
    run: Path,
    step: int,
    console: Console,
    *,
    samples_again: bool = False,
    address: str | None = None,
) -> Replayed:
    """Repeat a step of a run from the checkpoint before it; steps between are repeated too.

    Raises CheckpointError for what cannot be replayed.
    """
    metrics = recorded_metrics(run)
    _check_recorded(metrics, run, step)
    comparison = Compared()
    with open_before(run, step, console, address=address) as opened:
        bounds = EXACT if opened.is_exact else LOOSE
        repeat = Repeat(run, opened, console, metrics)
        repeat.go_to(step)
        console.note(f"repeating step {step}")
        rows = read_rows(run, step)
        compare_sampler(comparison, opened, rows, bounds, version=opened.state.version)
        try:
            repeat.take(step, judges_again=True, samples_again=samples_again)
        except RefusedError as error:
            comparison.equal(error.what, f"step {step}", "another", "this")
        else:
            compare_step(comparison, run, step, repeat.captured, metrics, rows, bounds)
        weights = compare_weights(comparison, run, step, opened, bounds)
        return Replayed(
            step=step,
            start=opened.start,
            is_exact=opened.is_exact,
            bounds=bounds,
            comparison=comparison,
            weights=weights,
        )


def recorded_metrics(run: Path) -> dict[int, Row]:
    """Return the metrics that a run recorded, by step."""
    return {int(str(row["step"])): row for row in RunRecorder(run).metrics()}


def _check_recorded(metrics: Mapping[int, Row], run: Path, step: int) -> None:
    """Raise CheckpointError where the run has not taken a step."""
    if step not in metrics:
        last = max(metrics, default=0)
        raise CheckpointError(
            f"step {step} is not recorded",
            where=str(run),
            expected=f"a step from 1 to {last}" if last else "a run that has taken a step",
            remedy="pass another --step",
        )


class _Quiet:
    """A display that shows the phases of a step, and not its lines."""

    def __init__(self, console: Console) -> None:
        self.phase = console.phase

    def note(self, text: str) -> None:
        """Say nothing."""

    def step(self, metrics: Row, *, total: int) -> None:
        """Say nothing."""


class Repeat:
    """A trainer on recorded rollouts, taken from step to step; `metrics` are the recorded ones."""

    def __init__(
        self, run: Path, opened: Opened, console: Console, metrics: Mapping[int, Row]
    ) -> None:
        self._run, self._opened, self._console = run, opened, console
        self._metrics = metrics
        self.captured = Capture()
        self.player = Player(
            opened.engines.rollout,
            opened.judge,
            opened.rewards,
            terms=opened.terms,
            verifier=opened.verifier_label,
        )
        recipe = opened.recipe
        self._trainer = Trainer(
            recipe=recipe,
            engine=self.player,
            learner=opened.engines.learner,
            tokenizer=opened.tokenizer,
            judge=self.player.verdicts if recipe.has_verifier else None,
            rewards=self.player if recipe.reward else None,
            advantages=opened.advantages,
            pools=opened.pools.stages,
            suites={},
            recorder=self.captured,
            display=_Quiet(console),
            save=lambda _: None,
            should_stop=lambda: False,
            state=opened.state,
        )
        self._trainer.open = open_stage(recipe, opened.pools.stages, opened.state.stage)

    def go_to(self, step: int) -> None:
        """Take the steps before a step, from their recorded rollouts."""
        first = self._opened.state.step + 1
        if first < step:
            self._console.note(f"repeating steps {first} to {step - 1} from their rollouts")
        for number in range(first, step):
            self.take(number, judges_again=False)

    def use_threads_of(self, step: int) -> None:
        """Compute with the threads of a step: sums of floats depend on their number."""
        if isinstance(threads := self._metrics.get(step, {}).get("time/threads"), int):
            use_threads(threads)

    def problem(self, name: str) -> EncodedProblem:
        """Return a problem of the run by its id."""
        pools = self._opened.pools.stages
        return next(one for pool in pools for one in pool if one.problem.id == name)

    def take(self, step: int, *, judges_again: bool, samples_again: bool = False) -> None:
        """Take a step as its loop took it."""
        self.use_threads_of(step)
        trainer, recipe = self._trainer, self._opened.recipe
        rows = read_rows(self._run, step)
        self.player.play(rows, judges_again=judges_again, samples_again=samples_again)
        if trainer.open is None:
            raise RefusedError("the run was finished before this step")
        clock = StepClock()
        sampled = trainer.sample(trainer.open, step, phase=trainer.display.phase)
        trainer.learn_from(trainer.open, sampled, clock, pipeline=recipe.ahead)
