"""Who judges: a verifier in this process, or one on every node of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from reasonrl.recipe import CodeConfig, VerifyConfig
from reasonrl.rollout.collect import Judge
from reasonrl.rollout.pools import has_programs
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.terminal import Console
from reasonrl.verify import CodeOptions, Isolation, Verifier

_PART = 64  # answers that a node is asked for at once


def make_verifier(config: VerifyConfig) -> Verifier:
    """Return a verifier as a recipe's `[verify]` table asks for it."""
    return Verifier(
        workers=config.workers,
        deadline_s=config.deadline_s,
        unboxed=config.unboxed,
        code=_code_options(config.code),
    )


def judge_with(verifier: Verifier) -> Judge:
    """Return the judge that the rollouts ask."""
    return verifier.verify_batch


@contextmanager
def open_judge(
    config: VerifyConfig,
    problems: Iterable[Sequence[EncodedProblem]],
    *,
    is_on_cluster: bool,
    logs: Path,
    on_event: Callable[[str], None],
    console: Console,
) -> Iterator[Judge]:
    """Start the verifier, `workers` processes of it on each node when there are several nodes."""
    with make_verifier(config) as verifier:
        if has_programs(problems):
            console.note(f"programs run in a sandbox: {verifier.describe_sandbox()}")
        if is_on_cluster:
            from reasonrl.engines.remote import Crew, node_seats

            seats = node_seats()
            if len(seats) > 1:
                with Crew(
                    partial(_build_judge, config),
                    seats,
                    logs=logs.resolve(),
                    part_size=_PART,
                    on_event=on_event,
                ) as crew:
                    yield crew
                return
        yield judge_with(verifier)


def _build_judge(config: VerifyConfig) -> Judge:
    return judge_with(make_verifier(config))


def _code_options(config: CodeConfig) -> CodeOptions:
    settings = config.model_dump()
    return CodeOptions(**settings | {"isolation": Isolation(config.isolation)})
