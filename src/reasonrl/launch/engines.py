"""Start the engines that a recipe asks for: one module in this process, or actors on a cluster.

The type of a recipe's `[engine]` table is asked here, and nowhere else in `launch`. `launch.actors`
builds what runs in the actors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine
from reasonrl.engines.sync import BFLOAT16, FLOAT32, Audit
from reasonrl.engines.turns import LearnerInTurn, RolloutInTurn, Turns
from reasonrl.errors import ConfigError
from reasonrl.launch.actors import Workload, build_rank, build_replica
from reasonrl.launch.one_process import open_in_process, open_vllm
from reasonrl.models.admission import Backend
from reasonrl.models.hf import LanguageModel, check_device, load_model, outline_model
from reasonrl.recipe import (
    EngineConfig,
    InProcessVllm,
    LocalEngineConfig,
    ModelConfig,
    RayEngineConfig,
)
from reasonrl.run.heartbeat import Describe

if TYPE_CHECKING:
    from reasonrl.engines.remote import RemoteLearner, RemoteRollout, Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The engines of a run: a sampler, a learner, and the bound on their distance after a sync.

    `audit` is None where both are one module. `describe` returns facts about their processes.
    """

    rollout: RolloutEngine
    learner: LearnerEngine
    audit: Audit | None
    describe: Describe


def model_for(engine: EngineConfig, model: ModelConfig, *, seed: int) -> LanguageModel:
    """Load a model into this process, or only its outline when actors load it.

    Raises ConfigError for a model that only transformers can run, where ranks share the weights.
    """
    match engine:
        case LocalEngineConfig():
            check_device(engine.device)
            # The engine moves it to the device, in the form that it keeps there.
            return load_model(model.name, seed=seed, backend=model.backend)
        case RayEngineConfig():
            outline = outline_model(model.name, backend=model.backend)
            if outline.backend is not Backend.NATIVE:
                raise ConfigError(
                    f'{model.name} trains with model.backend = "transformers" only '
                    f"({outline.reason}), which ranks cannot share",
                    where='engine.type = "ray"',
                    expected="a model of the native backend: docs/models.md has the table",
                    remedy='set engine.type = "local"; its sampler may still be vLLM',
                )
            return outline


def is_on_cluster(engine: EngineConfig) -> bool:
    """Return whether the engines are actors of a cluster."""
    return isinstance(engine, RayEngineConfig)


def restarts_of(engine: EngineConfig) -> int:
    """Return how often a run may start again after an engine was lost."""
    return engine.restarts if isinstance(engine, RayEngineConfig) else 0


def ranks_of(engine: EngineConfig) -> int:
    """Return the processes that share the training state."""
    return engine.learner.ranks if isinstance(engine, RayEngineConfig) else 1


@contextmanager
def open_engines(
    engine: EngineConfig,
    workload: Workload,
    model: LanguageModel,
    *,
    logs: Path,
    on_event: Callable[[str], None],
) -> Iterator[Engines]:
    """Start the engines; they end with the context. On a cluster, inside `open_cluster`."""
    match engine:
        case LocalEngineConfig():
            with open_in_process(engine, workload, model, logs) as (rollout, learner):
                has_two_models = isinstance(engine.rollout, InProcessVllm)
                audit = audit_of(engine) if has_two_models else None
                yield Engines(rollout=rollout, learner=learner, audit=audit, describe=lambda: ())
        case RayEngineConfig():
            with ExitStack() as stack:
                yield _open_remote(engine, workload, logs.resolve(), on_event, stack)


@contextmanager
def open_cluster(engine: EngineConfig, address: str | None) -> Iterator[None]:
    """Connect to Ray when the recipe asks for it.

    Raises ConfigError when Ray is missing, or an address was given that no engine would use.
    """
    match engine:
        case LocalEngineConfig():
            if address is not None:
                raise ConfigError(
                    "this recipe runs in one process",
                    where=f"--address {address}",
                    remedy='set engine.type = "ray" to use a cluster',
                )
            yield
        case RayEngineConfig():
            with _connected(engine, address):
                yield


@contextmanager
def _connected(engine: RayEngineConfig, address: str | None) -> Iterator[None]:
    try:
        from reasonrl.engines.remote import check_room, connect
    except ImportError as error:
        raise ConfigError(
            f"Ray cannot be imported: {error}",
            where="engine.type",
            remedy="pip install 'reasonrl[cluster]'",
        ) from error
    actors = engine.rollout.replicas + engine.learner.ranks
    with connect(address, actors=actors):
        on_gpus = engine.device != "cpu"
        check_room(
            cpus=actors if engine.placement == "separate" else engine.learner.ranks,
            gpus=engine.gpus if on_gpus else 0,
            gpus_together=engine.rollout.tensor_parallel if on_gpus else 0,
        )
        yield


def judge_seats(engine: EngineConfig) -> Sequence[Seat]:
    """Return a seat on each node of the cluster that is open, none without a cluster."""
    match engine:
        case LocalEngineConfig():
            return ()
        case RayEngineConfig():
            from reasonrl.engines.remote import node_seats

            return node_seats()


@contextmanager
def open_sampler(
    engine: EngineConfig,
    workload: Workload,
    holder: LocalEngine,
    *,
    logs: Path,
    on_event: Callable[[str], None],
) -> Iterator[RolloutEngine]:
    """Give the weights that `holder` has to what samples: `holder` itself, vLLM, or replicas."""
    match engine:
        case LocalEngineConfig(rollout=InProcessVllm()):
            with ExitStack() as stack:
                yield open_vllm(holder, engine, workload, logs, stack)
        case LocalEngineConfig():
            yield holder
        case RayEngineConfig():
            with open_replicas(engine, workload, logs=logs, on_event=on_event) as replicas:
                replicas.load_weights(holder.weights(), version=0)
                yield replicas


def open_replicas(
    engine: RayEngineConfig,
    workload: Workload,
    *,
    logs: Path,
    on_event: Callable[[str], None],
    seats: list[Seat] | None = None,
) -> RemoteRollout:
    """Start the replicas of a cluster, each on GPUs of its own if no seats are given."""
    from reasonrl.engines.remote import RemoteRollout, Seat

    if seats is None:
        gpus = 0 if engine.device == "cpu" else engine.rollout.tensor_parallel
        seats = [Seat(gpus=gpus)] * engine.rollout.replicas
    return RemoteRollout(
        partial(build_replica, engine, workload),
        seats,
        max_rows=engine.max_rows,
        timeout_s=engine.rollout.timeout_s,
        logs=logs,
        on_event=on_event,
    )


def _open_remote(
    engine: RayEngineConfig,
    workload: Workload,
    logs: Path,
    on_event: Callable[[str], None],
    stack: ExitStack,
) -> Engines:
    audit = audit_of(engine)
    open_rollout = partial(open_replicas, engine, workload, logs=logs, on_event=on_event)
    if engine.placement == "separate":
        # Replicas first: they need several GPUs of one node, and nodes are still whole.
        rollout = stack.enter_context(open_rollout())
        learner = stack.enter_context(open_ranks(engine, workload, logs))
        if engine.sync == "wire":
            rollout.wire_to(learner, processes=engine.rollout.tensor_parallel)
        return Engines(
            rollout=rollout,
            learner=learner,
            audit=audit,
            describe=lambda: [*rollout.describe(), *learner.describe()],
        )
    learner = stack.enter_context(open_ranks(engine, workload, logs))
    seats = seats_beside(learner.seats(), engine)
    turns = Turns(learner, lambda: open_rollout(seats=seats))
    return Engines(
        rollout=stack.enter_context(RolloutInTurn(turns)),
        learner=stack.enter_context(LearnerInTurn(turns)),
        audit=audit,
        describe=lambda: [*turns.rollout.describe(), *turns.learner.describe()],
    )


def audit_of(engine: EngineConfig) -> Audit:
    """Return the bound on the distance of sampler and learner where they are two models."""
    return FLOAT32 if engine.precision == "float32" else BFLOAT16


def open_ranks(engine: RayEngineConfig, workload: Workload, logs: Path) -> RemoteLearner:
    """Start the learner's ranks on a cluster, each on a GPU of its own."""
    from reasonrl.engines.remote import RemoteLearner, Seat

    seat = Seat(gpus=0 if engine.device == "cpu" else 1)
    return RemoteLearner(
        partial(build_rank, engine, workload),
        [seat] * engine.learner.ranks,
        timeout_s=engine.learner.timeout_s,
        logs=logs,
    )


def seats_beside(ranks: list[tuple[str, list[str]]], engine: RayEngineConfig) -> list[Seat]:
    """Return a seat for each replica on the GPUs of as many ranks of one node as it needs.

    `ranks` are nodes and GPUs. Raises ConfigError when the nodes have too few.
    """
    from reasonrl.engines.remote import Seat

    size = engine.rollout.tensor_parallel
    by_node: dict[str, list[str]] = {}
    for node, gpus in ranks:
        by_node.setdefault(node, []).extend(gpus or ["cpu"])
    seats = [
        Seat(
            node_id=node, visible_gpus=() if gpus[0] == "cpu" else tuple(gpus[first : first + size])
        )
        for node, gpus in by_node.items()
        for first in range(0, len(gpus) - size + 1, size)
    ]
    if len(seats) < engine.rollout.replicas:
        raise ConfigError(
            f"{engine.rollout.replicas} replicas of {size} GPUs do not fit on the "
            f"{len(ranks)} ranks' GPUs",
            where="engine.rollout.replicas",
            expected=f"at most {len(seats)} with placement = shared",
        )
    return seats[: engine.rollout.replicas]
