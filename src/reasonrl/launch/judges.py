"""Open the judge of a run: a verifier in this process, or a verifier on every node of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reasonrl.launch.engines import judge_seats
from reasonrl.recipe import CodeConfig, Recipe, VerifyConfig
from reasonrl.rollout.beside import EarlyJudge
from reasonrl.rollout.judge import Judge
from reasonrl.rollout.pools import Pools, has_programs
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.run.layout import LOGS
from reasonrl.run.process import note_event
from reasonrl.terminal import Console
from reasonrl.types import Kind, Problem
from reasonrl.verify import CodeOptions, Isolation, Verifier

if TYPE_CHECKING:
    from reasonrl.engines.remote import Seat

_PART = 64
"""Answers that a node is asked for in one call."""


def make_verifier(config: VerifyConfig) -> Verifier:
    """Return the verifier that a recipe's `[verify]` table asks for."""
    return Verifier(
        workers=config.workers,
        deadline_s=config.deadline_s,
        unboxed=config.unboxed,
        code=_code_options(config.code),
    )


def require_sandbox(verifier: Verifier, lists: Iterable[Iterable[Problem]]) -> None:
    """Raise VerifierError if there are programs to judge and this machine may not run them.

    Asked before a model is loaded, because loading can take minutes.
    """
    if any(problem.kind is Kind.CODE for problems in lists for problem in problems):
        verifier.describe_sandbox()


def judge_with(verifier: Verifier) -> Judge:
    """Return a judge that asks a verifier."""
    return EarlyJudge(verifier.verify_batch)


@contextmanager
def open_judge(
    config: VerifyConfig,
    problems: Iterable[Sequence[EncodedProblem]],
    *,
    seats: Sequence[Seat],
    logs: Path,
    on_event: Callable[[str], None],
    console: Console,
) -> Iterator[Judge]:
    """Start the verifier: in this process, or on every seat when there are several.

    Each verifier has `config.workers` processes for algebra.
    """
    with make_verifier(config) as verifier:
        if has_programs(problems):
            console.note(f"programs run in a sandbox: {verifier.describe_sandbox()}")
        if len(seats) < 2:
            yield judge_with(verifier)
            return
        from reasonrl.engines.remote import Crew

        with Crew(
            partial(_build_judge, config),
            seats,
            logs=logs.resolve(),
            part_size=_PART,
            on_event=on_event,
        ) as crew:
            yield EarlyJudge(crew)


@contextmanager
def open_run_judge(
    recipe: Recipe, pools: Pools, directory: Path, console: Console
) -> Iterator[Judge | None]:
    """Start the verifier of a run; None where no component of the reward asks it."""
    if not recipe.has_verifier:
        yield None
        return
    with open_judge(
        recipe.verify,
        (*pools.stages, *pools.suites.values()),
        seats=judge_seats(recipe.engine),
        logs=directory / LOGS,
        on_event=partial(note_event, directory, console),
        console=console,
    ) as judge:
        yield judge


def _build_judge(config: VerifyConfig) -> Judge:
    return make_verifier(config).verify_batch


def _code_options(config: CodeConfig) -> CodeOptions:
    return CodeOptions(**dict(config) | {"isolation": Isolation(config.isolation)})
