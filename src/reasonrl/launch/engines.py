"""Start the engines that a recipe asks for: one module in this process, or actors on a cluster.

The only module that names a concrete engine. What is built elsewhere is described here and built
there, by the functions at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reasonrl.engines.local import LocalEngine, LocalSampler
from reasonrl.engines.process import use_threads
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine
from reasonrl.engines.stepping import SteppingEngine
from reasonrl.engines.sync import BFLOAT16, FLOAT32, Audit
from reasonrl.engines.update import OptimizerSettings
from reasonrl.errors import ConfigError
from reasonrl.models.hf import LanguageModel, as_directory, load_model, outline_model
from reasonrl.recipe import EngineConfig, OptimizerConfig
from reasonrl.run.heartbeat import Describe

if TYPE_CHECKING:
    from reasonrl.engines.remote import RankEngine, RemoteLearner, RemoteRollout, Seat
    from reasonrl.engines.vllm import VllmSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Hold who samples and who learns, and how far they may be apart after a sync.

    `describe` tells of the processes that they are made of.
    """

    rollout: RolloutEngine
    learner: LearnerEngine
    audit: Audit | None
    describe: Describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what engines to start. `context` is the longest prompt and completion of the run."""

    engine: EngineConfig
    optimizer: OptimizerConfig
    model: str
    seed: int
    context: int
    keep_reference: bool = False


def model_for(engine: EngineConfig, name: str, *, seed: int) -> LanguageModel:
    """Load a model where it will work, or only its outline when that is elsewhere."""
    if engine.type == "local":
        return load_model(name, seed=seed, device=engine.device)
    return outline_model(name)


@contextmanager
def open_engines(
    plan: Plan, model: LanguageModel, *, logs: Path, on_event: Callable[[str], None]
) -> Iterator[Engines]:
    """Start the engines; they end with the context. On a cluster, inside `open_cluster`."""
    if plan.engine.type == "local":
        with local_engine(
            model, plan.engine, plan.optimizer, keep_reference=plan.keep_reference
        ) as engine:
            yield Engines(rollout=engine, learner=engine, audit=None, describe=lambda: ())
        return
    with ExitStack() as stack:
        yield _open_remote(plan, logs.resolve(), on_event, stack)


@contextmanager
def open_cluster(engine: EngineConfig, address: str | None) -> Iterator[None]:
    """Connect to Ray when the recipe asks for it.

    Raises ConfigError when Ray is missing, or an address was given that nobody would use.
    """
    if engine.type == "local":
        if address is not None:
            raise ConfigError(
                "this recipe runs in one process",
                where=f"--address {address}",
                remedy='set engine.type = "ray" to use a cluster',
            )
        yield
        return
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


def local_engine(
    model: LanguageModel,
    engine: EngineConfig,
    optimizer: OptimizerConfig,
    *,
    keep_reference: bool = False,
) -> LocalEngine:
    """Return the engine that samples and learns in this process."""
    return LocalEngine(
        model,
        _settings(optimizer),
        compute=engine.compute,
        recompute=engine.recompute,
        token_budget=engine.token_budget,
        max_rows=engine.max_rows,
        keep_reference=keep_reference,
    )


def open_replicas(
    plan: Plan, *, logs: Path, on_event: Callable[[str], None], seats: list[Seat] | None = None
) -> RemoteRollout:
    """Start the replicas of a cluster, each on GPUs of its own if no seats are given."""
    from reasonrl.engines.remote import RemoteRollout, Seat

    engine = plan.engine
    if seats is None:
        gpus = 0 if engine.device == "cpu" else engine.rollout.tensor_parallel
        seats = [Seat(gpus=gpus)] * engine.rollout.replicas
    return RemoteRollout(
        partial(build_replica, plan),
        seats,
        max_rows=engine.max_rows,
        timeout_s=engine.rollout.timeout_s,
        logs=logs,
        on_event=on_event,
    )


def _open_remote(
    plan: Plan, logs: Path, on_event: Callable[[str], None], stack: ExitStack
) -> Engines:
    from reasonrl.engines.remote import LearnerInTurn, RolloutInTurn, Turns

    audit = FLOAT32 if plan.engine.compute == "float32" else BFLOAT16
    if plan.engine.placement == "separate":  # larger pieces first, while nodes are whole
        rollout = stack.enter_context(open_replicas(plan, logs=logs, on_event=on_event))
        learner = stack.enter_context(open_ranks(plan, logs))
        return Engines(
            rollout=rollout,
            learner=learner,
            audit=audit,
            describe=lambda: [*rollout.describe(), *learner.describe()],
        )
    learner = stack.enter_context(open_ranks(plan, logs))
    seats = seats_beside(learner.seats(), plan.engine)
    turns = Turns(learner, lambda: open_replicas(plan, logs=logs, on_event=on_event, seats=seats))
    return Engines(
        rollout=stack.enter_context(RolloutInTurn(turns)),
        learner=stack.enter_context(LearnerInTurn(turns)),
        audit=audit,
        describe=lambda: [*turns.rollout.describe(), *turns.learner.describe()],
    )


def open_ranks(plan: Plan, logs: Path) -> RemoteLearner:
    """Start the learner's ranks on a cluster, each on a GPU of its own."""
    from reasonrl.engines.remote import RemoteLearner, Seat

    seat = Seat(gpus=0 if plan.engine.device == "cpu" else 1)
    return RemoteLearner(
        partial(build_rank, plan),
        [seat] * plan.engine.learner.ranks,
        timeout_s=plan.engine.learner.timeout_s,
        logs=logs,
    )


def seats_beside(ranks: list[tuple[str, list[str]]], engine: EngineConfig) -> list[Seat]:
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


def _settings(optimizer: OptimizerConfig) -> OptimizerSettings:
    return OptimizerSettings(
        betas=(optimizer.beta1, optimizer.beta2),
        epsilon=optimizer.epsilon,
        weight_decay=optimizer.weight_decay,
        max_gradient_norm=optimizer.max_gradient_norm,
    )


# what runs in the actors


def build_replica(plan: Plan) -> SteppingEngine:
    """Make an engine that samples, in the process that it will work in."""
    engine = plan.engine
    use_threads(engine.threads)
    if engine.rollout.type == "local":
        model = load_model(plan.model, seed=plan.seed, device=_own_device(engine))
        return LocalSampler(
            model,
            compute=engine.compute,
            token_budget=engine.token_budget,
            max_rows=engine.max_rows,
        )
    from reasonrl.engines.vllm import VllmEngine

    return VllmEngine(vllm_settings(plan))


def vllm_settings(plan: Plan) -> VllmSettings:
    """Translate a plan into vLLM's terms."""
    from reasonrl.engines.vllm import VllmSettings

    engine, model = plan.engine, outline_model(plan.model)
    return VllmSettings(
        model=as_directory(plan.model),
        weight_names=frozenset(model.module.state_dict()),
        eos_ids=tuple(sorted(model.eos_ids)),
        # Scoring makes vLLM sample one token more than the sequence that it scores.
        context_tokens=min(plan.context + 1, model.context),
        compute=engine.compute,
        max_rows=engine.max_rows,
        tensor_parallel=engine.rollout.tensor_parallel,
        memory_share=engine.rollout.memory_share,
        device=engine.device,
        can_sleep=engine.placement == "shared",
    )


def build_rank(plan: Plan, rank: int, address: str) -> RankEngine:
    """Make one rank of the learner, in the process that it will work in."""
    from reasonrl.engines.fsdp import FsdpLearner, join

    engine = plan.engine
    use_threads(engine.threads)
    ranks = join(
        rank=rank,
        world=engine.learner.ranks,
        address=address,
        device=_own_device(engine),
        sequence_parallel=engine.learner.sequence_parallel,
        timeout_s=engine.learner.timeout_s,
    )
    return FsdpLearner(
        partial(outline_model, plan.model),
        partial(load_model, plan.model, seed=plan.seed),
        ranks,
        _settings(plan.optimizer),
        token_budget=engine.token_budget,
        compute=engine.compute,
        recompute=engine.recompute,
        keep_reference=plan.keep_reference,
    )


def _own_device(engine: EngineConfig) -> str:
    """Return the device as an actor sees it: Ray shows it only its own GPUs."""
    return "cpu" if engine.device == "cpu" else "cuda:0"
