"""A caller's own parts of a run, in place of those that its recipe asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reasonrl.algo.select import SelectedGroup
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine, TokenRecord
from reasonrl.engines.threads import Threads
from reasonrl.evaluation.sample_file import SampleRow
from reasonrl.evaluation.score import SuiteResult
from reasonrl.launch.actors import Workload
from reasonrl.launch.engines import Engines, audit_of, open_engines, open_sampler
from reasonrl.loop.seams import Recorder
from reasonrl.models.hf import LanguageModel
from reasonrl.recipe import EngineConfig
from reasonrl.rollout.judge import Judge
from reasonrl.types import Row

Callback = Callable[[Row], bool | None]
"""Called with the metrics of each step, once they are recorded; True stops the run there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A caller's own parts of a run; None and empty where the recipe's part is used.

    `rollout` and `learner` implement the protocols of `engines.protocols`; `judge` stands for the
    verifier; `problems` are the rows of the sources of type "given", by their names.
    """

    rollout: RolloutEngine | None = None
    learner: LearnerEngine | None = None
    judge: Judge | None = None
    problems: Mapping[str, Sequence[object]] = field(default_factory=dict)
    on_step: Callback | None = None


NOTHING = Own()
"""No own part: everything is as the recipe asks."""


@contextmanager
def open_all_engines(
    own: Own,
    engine: EngineConfig,
    workload: Workload,
    model: LanguageModel,
    *,
    logs: Path,
    on_event: Callable[[str], None],
) -> Iterator[Engines]:
    """Start the engines of a run: the caller's own, and the recipe's for those that are not given.

    An own engine is audited against the other as replicas on a cluster are.
    """
    with ExitStack() as stack:
        rollout = own.rollout and stack.enter_context(own.rollout)
        learner = own.learner and stack.enter_context(own.learner)
        audit = audit_of(engine)
        if rollout is not None and learner is not None:
            yield Engines(rollout=rollout, learner=learner, audit=audit, describe=lambda: ())
            return
        opened = open_engines(engine, workload, model, logs=logs, on_event=on_event)
        engines = stack.enter_context(opened)
        if rollout is not None or learner is not None:
            engines = replace(
                engines,
                rollout=rollout or engines.rollout,
                learner=learner or engines.learner,
                audit=audit,
            )
        yield engines


@contextmanager
def open_own_sampler(
    own: Own,
    engine: EngineConfig,
    workload: Workload,
    holder: LocalEngine,
    *,
    logs: Path,
    on_event: Callable[[str], None],
) -> Iterator[RolloutEngine]:
    """Give the weights that `holder` has to the caller's own sampler, or to the recipe's."""
    if own.rollout is None:
        with open_sampler(engine, workload, holder, logs=logs, on_event=on_event) as opened:
            yield opened
        return
    with own.rollout as rollout:
        rollout.load_weights(holder.weights(), version=0)
        yield rollout


class CallingRecorder:
    """A recorder that calls functions with the metrics of each step that it has recorded.

    It adds the number of threads that computed a step, and has it chosen anew behind it.
    `has_stopped` says that a function asked for an end.
    """

    def __init__(self, inner: Recorder, *on_step: Callback | None, threads: Threads) -> None:
        self._inner, self._threads = inner, threads
        self._on_step = [call for call in on_step if call is not None]
        self.has_stopped = False

    def rollouts(self, step: int, stage: str, selected: Sequence[SelectedGroup]) -> None:
        self._inner.rollouts(step, stage, selected)

    def tokens(self, step: int, record: TokenRecord) -> None:
        self._inner.tokens(step, record)

    def step(self, metrics: Row) -> None:
        row: Row = {**metrics, "time/threads": self._threads.now}
        self._threads.choose()
        self._inner.step(row)
        for call in self._on_step:
            if call(dict(row)):
                self.has_stopped = True

    def samples(self, suite: str, step: int, rows: Sequence[SampleRow]) -> None:
        self._inner.samples(suite, step, rows)

    def evaluation(self, result: SuiteResult) -> None:
        self._inner.evaluation(result)

    def evaluations(self) -> list[SuiteResult]:
        return self._inner.evaluations()
