"""What a person sees of a run: bars with phases on a terminal, one line a step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from reasonrl.config import Recipe
from reasonrl.verify.batch_file import VerifyReport
from reasonrl.verify.code.isolation import Machine
from reasonrl.verify.explain import Explanation

Number = float | int | str | bool | None

_SHOWN = (
    ("acc", "accuracy/all", "{:.3f}"),
    ("fin", "accuracy/finished", "{:.3f}"),
    ("trunc", "rollout/truncated_share", "{:.3f}"),
    ("len", "rollout/mean_tokens", "{:.1f}"),
    ("entropy", "entropy/nats", "{:.3f}"),
    ("alpha", "entropy/coefficient", "{:.1e}"),
    ("kept", "groups/kept", "{}"),
    ("grad", "update/gradient_norm", "{:.2f}"),
    ("s", "time/step_s", "{:.1f}"),
)

_SHOWN_IDS = 10
_FILE_WIDTH = 160  # of tables that go to a file or a pipe
_QUIET_S = 30.0  # a phase says nothing for so long


_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\ufffd")


class Console:
    """Print notes, phases and steps. On a terminal the phases are bars that vanish when done."""

    def __init__(self) -> None:
        rich = RichConsole(highlight=False, soft_wrap=True)
        self._rich = rich if rich.is_terminal else RichConsole(highlight=False, width=_FILE_WIDTH)

    def note(self, text: str) -> None:
        """Print a text without the control characters that data may hold for the terminal."""
        self._rich.print(text.translate(_CONTROLS), markup=False, soft_wrap=True)

    def step(self, metrics: Mapping[str, Number], *, total: int) -> None:
        """Print one greppable line: `step=12/30 stage=short acc=0.412 ...`."""
        parts = [f"step={metrics['step']}/{total}", f"stage={metrics['stage']}"]
        for label, key, form in _SHOWN:
            value = metrics.get(key)
            parts.append(f"{label}={'-' if value is None else form.format(value)}")
        self.note(" ".join(parts))

    def print(self, table: Table) -> None:
        self._rich.print(table)

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a phase of `total` items and yield the function that counts finished ones.

        Without a terminal a long phase prints a line every half minute.
        """
        if not (self._rich.is_terminal and sys.stdout.isatty()):
            yield self._counter(name, total)
            return
        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._rich, transient=True) as progress:
            task = progress.add_task(name, total=total)
            yield lambda done: progress.advance(task, done)

    def _counter(self, name: str, total: int) -> Callable[[int], None]:
        done, last = 0, time.monotonic()

        def count(n: int) -> None:
            nonlocal done, last
            done += n
            if time.monotonic() - last > _QUIET_S:
                last = time.monotonic()
                self.note(f"{name} {done}/{total}")

        return count


def show_recipe(console: Console, recipe: Recipe) -> None:
    """Print the derived numbers of a recipe, a line a stage."""
    model = recipe.model.name
    console.note(f"{recipe.name}: {model}, seed {recipe.seed}, {len(recipe.stage)} stages")
    for stage in recipe.stage:
        rollout, update = stage.rollout, stage.update
        n_rollouts = rollout.prompts_per_step * rollout.group_size
        n_sgd = update.minibatches * update.reuse
        console.note(
            f"  {stage.name}: {stage.steps} steps of {rollout.prompts_per_step} problems x "
            f"{rollout.group_size} = {n_rollouts} rollouts, up to {rollout.max_new_tokens} new "
            f"tokens ({n_rollouts * rollout.max_new_tokens:,} a step) at temperature "
            f"{rollout.temperature:g}; {n_sgd} update{'s' if n_sgd > 1 else ''} a step "
            f"({'off' if n_sgd > 1 else 'on'}-policy), learning rate {update.learning_rate:g}, "
            f"entropy {stage.entropy.mode} target {stage.entropy.target_nats:g}"
        )
    if recipe.engine.type == "ray":
        console.note(f"  on a cluster: {_layout(recipe)}")


def _layout(recipe: Recipe) -> str:
    engine = recipe.engine
    rollout, learner = engine.rollout, engine.learner
    device = "CPUs" if engine.device == "cpu" else f"{engine.gpus} GPUs"
    parts = [
        f"{rollout.replicas} {rollout.type} replicas, tensor parallel {rollout.tensor_parallel}",
        f"{learner.ranks} FSDP2 ranks, {learner.sequence_parallel} to a row",
        f"{engine.placement} {device}",
    ]
    if recipe.pipeline is not None:
        parts.append(f"sampling at most {recipe.pipeline.staleness} steps ahead")
    return "; ".join(parts)


def show_verification(console: Console, report: VerifyReport) -> None:
    """Print the counts of a verified file on one line, and the disputes if they were looked for."""
    counts = " ".join(f"{status}={n}" for status, n in sorted(report.counts.items()))
    console.note(f"rows={report.n_rows} wall_s={report.wall_s:.1f} {counts}")
    if report.disputed is not None:
        ids = ", ".join(report.disputed[:_SHOWN_IDS]) + (
            ", ..." if len(report.disputed) > _SHOWN_IDS else ""
        )
        console.note(f"disputed={len(report.disputed)} {ids}".rstrip())


def show_machine(console: Console, machine: Machine) -> None:
    """Print what isolation a machine gives, a line a part."""
    console.note(f"isolation  {machine.level}")
    for name, found in machine.parts.items():
        console.note(f"  {name:<11}{found}")


def show_explanation(console: Console, explanation: Explanation) -> None:
    """Print a ladder, a line a rung."""
    width = max(len(rung.name) for rung in explanation.rungs)
    for rung in explanation.rungs:
        console.note(f"{rung.name:<{width}}  {rung.found}")
