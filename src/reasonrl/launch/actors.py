"""Build the engines of a cluster, each in the actor that it will work in; translate settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reasonrl.engines.local import LocalSampler
from reasonrl.engines.stepping import SteppingEngine
from reasonrl.engines.threads import use_threads
from reasonrl.engines.update import OptimizerSettings
from reasonrl.models.admission import WantedBackend
from reasonrl.models.experts import splits_experts
from reasonrl.models.hf import LanguageModel, as_directory, load_model, outline_model
from reasonrl.models.lora import LoraSettings, add_adapters
from reasonrl.recipe import (
    LocalEngineConfig,
    LoraConfig,
    OptimizerConfig,
    OwnModule,
    RayEngineConfig,
    RolloutReplicas,
)
from reasonrl.seeds import derive_seed

if TYPE_CHECKING:
    from reasonrl.engines.fsdp.engine import Build
    from reasonrl.engines.remote import RankEngine
    from reasonrl.engines.vllm import VllmSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What engines must serve: a model, the optimizer, and the longest prompt and completion.

    `context_tokens` counts the prompt and the completion together.
    """

    model: str
    seed: int
    optimizer: OptimizerConfig
    context_tokens: int
    keep_reference: bool = False
    reference: str = ""
    lora: LoraConfig | None = None
    backend: WantedBackend = "auto"


def optimizer_settings(optimizer: OptimizerConfig) -> OptimizerSettings:
    """Translate the recipe's `[optimizer]` table."""
    return OptimizerSettings(
        betas=(optimizer.beta1, optimizer.beta2),
        epsilon=optimizer.epsilon,
        weight_decay=optimizer.weight_decay,
        max_gradient_norm=optimizer.max_gradient_norm,
        eight_bits=optimizer.type == "adamw-8bit",
        offload=optimizer.offload,
        splits=optimizer.parameters == "bfloat16",
    )


def adapted(model: LanguageModel, lora: LoraConfig | None, *, seed: int) -> LanguageModel:
    """Return the model, with adapters drawn from the seed if its recipe asks for adapters."""
    if lora is not None:
        add_adapters(model.module, lora_settings(lora), seed=derive_seed(seed, "adapters"))
    return model


def lora_settings(lora: LoraConfig) -> LoraSettings:
    """Translate the recipe's `[model.lora]` table."""
    targets = None if isinstance(lora.targets, str) else lora.targets
    return LoraSettings(rank=lora.rank, alpha=lora.alpha, targets=targets, is_packed=lora.is_packed)


def build_replica(engine: RayEngineConfig, workload: Workload) -> SteppingEngine:
    """Make an engine that samples, in the process that it will work in."""
    use_threads(engine.threads)
    if engine.rollout.type == "local":
        model = load_model(
            workload.model,
            seed=workload.seed,
            device=_own_device(engine),
            backend=workload.backend,
        )
        return LocalSampler(
            model,
            compute=engine.precision,
            token_budget=engine.token_budget,
            max_rows=engine.max_rows,
        )
    from reasonrl.engines.vllm import VllmEngine

    return VllmEngine(vllm_settings(engine, workload))


def vllm_settings(engine: RayEngineConfig | LocalEngineConfig, workload: Workload) -> VllmSettings:
    """Translate a recipe's engine with vLLM, a replica's or this process's, into vLLM's terms."""
    from reasonrl.engines.vllm import VllmSettings

    rollout = engine.rollout
    assert not isinstance(rollout, OwnModule)
    model = outline_model(workload.model)
    return VllmSettings(
        model=as_directory(workload.model),
        weight_names=frozenset(model.module.state_dict()),
        # vLLM refuses to stop at an id that the model cannot sample.
        eos_ids=tuple(sorted(eos for eos in model.eos_ids if eos < len(model.head))),
        # Scoring makes vLLM sample one token more than the sequence that it scores.
        context_tokens=min(workload.context_tokens + 1, model.context),
        compute=engine.precision,
        max_rows=engine.max_rows,
        tensor_parallel=rollout.tensor_parallel if isinstance(rollout, RolloutReplicas) else 1,
        memory_share=rollout.memory_share,
        device=engine.device,
        splits_experts=splits_experts(model.module),
        can_sleep=not isinstance(engine, RayEngineConfig) or engine.placement == "shared",
    )


def build_rank(engine: RayEngineConfig, workload: Workload, rank: int, address: str) -> RankEngine:
    """Make one rank of the learner, in the process that it will work in."""
    from reasonrl.engines.fsdp import FsdpLearner, join

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
        lambda: adapted(outline_model(workload.model), workload.lora, seed=workload.seed),
        lambda: adapted(
            load_model(workload.model, seed=workload.seed), workload.lora, seed=workload.seed
        ),
        ranks,
        optimizer_settings(workload.optimizer),
        token_budget=engine.token_budget,
        compute=engine.precision,
        recompute=engine.recompute,
        keep_reference=workload.keep_reference,
        reference=_another(workload.reference),
    )


def _another(name: str) -> tuple[Build, Build] | None:
    """Return how the reference policy is built, None where it is the starting policy."""
    return (partial(outline_model, name), partial(load_model, name)) if name else None


def _own_device(engine: RayEngineConfig) -> str:
    """Return the device as an actor sees it: Ray shows an actor only its own GPUs."""
    return "cpu" if engine.device == "cpu" else "cuda:0"
