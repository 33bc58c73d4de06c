"""Engines in this process: the local engine, alone or with vLLM beside it on the same GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import LearnerEngine, RolloutEngine
from reasonrl.engines.turns import LearnerInTurn, RolloutInTurn, Turns
from reasonrl.launch.actors import Workload, adapted, optimizer_settings, vllm_settings
from reasonrl.models.hf import LanguageModel, load_model
from reasonrl.recipe import EngineBase, InProcessVllm, LocalEngineConfig, OptimizerConfig

if TYPE_CHECKING:
    from reasonrl.engines.vllm import VllmEngine


def local_engine(
    model: LanguageModel,
    engine: EngineBase,
    optimizer: OptimizerConfig,
    *,
    keep_reference: bool = False,
    reference: LanguageModel | None = None,
    packs: bool = False,
) -> LocalEngine:
    """Return the engine that samples and learns in this process.

    It keeps `reference`, or with `keep_reference` the model as it is now, for a KL term. With
    `packs` the matrices beside adapters are stored in 4 bits. Beside a cluster it is on the CPU.
    """
    device = engine.device if isinstance(engine, LocalEngineConfig) else "cpu"
    return LocalEngine(
        model,
        optimizer_settings(optimizer),
        compute=engine.precision,
        recompute=engine.recompute,
        token_budget=engine.token_budget,
        max_rows=engine.max_rows,
        keep_reference=keep_reference,
        reference=reference,
        packs=packs,
        device=device,
    )


@contextmanager
def open_in_process(
    engine: LocalEngineConfig, workload: Workload, model: LanguageModel, logs: Path
) -> Iterator[tuple[RolloutEngine, LearnerEngine]]:
    """Start the sampler and the learner of this process; both are one engine without vLLM."""
    reference = None
    if workload.keep_reference and workload.reference:
        reference = load_model(workload.reference, backend=workload.backend)
    learner = local_engine(
        adapted(model, workload.lora, seed=workload.seed),
        engine,
        workload.optimizer,
        keep_reference=workload.keep_reference,
        reference=reference,
        packs=workload.lora is not None and workload.lora.is_packed,
    )
    with ExitStack() as stack:
        stack.enter_context(learner)
        yield _beside(learner, engine, workload, logs, stack)


def open_vllm(
    holder: LocalEngine,
    engine: LocalEngineConfig,
    workload: Workload,
    logs: Path,
    stack: ExitStack,
) -> RolloutEngine:
    """Start vLLM beside an engine that only holds weights, and give it these weights."""
    rollout, _ = _beside(holder, engine, workload, logs, stack)
    rollout.load_weights(holder.weights(), version=0)
    return rollout


def _beside(
    learner: LocalEngine,
    engine: LocalEngineConfig,
    workload: Workload,
    logs: Path,
    stack: ExitStack,
) -> tuple[RolloutEngine, LearnerEngine]:
    """Return the sampler that a recipe wants beside a learner, and the learner as it is called."""
    if not isinstance(engine.rollout, InProcessVllm):
        return learner, learner

    def start() -> VllmEngine:
        from reasonrl.engines.vllm import VllmEngine

        settings = replace(vllm_settings(engine, workload), log=logs / "vllm.log")
        return stack.enter_context(VllmEngine(settings))

    if engine.device == "cpu":
        # vLLM cannot sleep on a CPU, and there is no memory of a GPU to share.
        return start(), learner
    turns = Turns(learner, start, yields=engine.offload)
    return RolloutInTurn(turns), LearnerInTurn(turns)
