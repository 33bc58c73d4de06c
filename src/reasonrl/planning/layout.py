"""The layout of an engine: what the formulas of memory and time need of an engine block.

Only this module asks which type of engine a recipe has. The formulas compute with the numbers of a
layout, and a change that `fitting` tries is a changed layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reasonrl.errors import ConfigError
from reasonrl.planning.state import (
    FOUR_BITS,
    FUSED,
    LINEAR,
    TrainingState,
    adamw,
    adamw_8bit,
    in_bfloat16,
    lora,
    with_moments_on_host,
)
from reasonrl.recipe import Recipe

_ADAMW = adamw()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLayout:
    """The processes of an engine, and what each of them computes with.

    `ranks` FSDP ranks learn, `sequence_parallel` of them share each row. `replicas` sample, each on
    `tensor_parallel` GPUs, of which a vLLM replica takes `memory_share`. With `shares_gpus` ranks
    and replicas take turns on the same GPUs. In one process a rank and a replica are the same
    process: it samples with the module that learns or, with `samples_with_vllm`, with a vLLM engine
    beside it; with `offloads` the learner's weights and moments then move to the host while the
    engine samples. `token_budget` bounds the tokens of a microbatch, `max_rows` the rollouts that
    one engine samples side by side. `training` is what a parameter costs; `keeps_reference`: a
    reference policy of the model's size is kept, too.
    """

    is_one_process: bool
    is_on_cpu: bool
    is_bfloat16: bool
    recompute: bool
    token_budget: int
    max_rows: int
    ranks: int = 1
    sequence_parallel: int = 1
    replicas: int = 1
    tensor_parallel: int = 1
    memory_share: float = 1.0
    shares_gpus: bool = True
    samples_with_vllm: bool = False
    offloads: bool = False
    training: TrainingState = _ADAMW
    keeps_reference: bool = False

    @property
    def element_bytes(self) -> int:
        """The bytes of a number that the model computes with."""
        return 2 if self.is_bfloat16 else 4

    @property
    def compute(self) -> str:
        """The type that the layers compute in, as a recipe names it."""
        return "bfloat16" if self.is_bfloat16 else "float32"

    @property
    def samples_with_learner(self) -> bool:
        """Whether the module that learns also samples."""
        return self.is_one_process and not self.samples_with_vllm

    @property
    def takes_turns(self) -> bool:
        """Whether sampler and learner, each with weights of its own, take turns on the GPUs."""
        is_shared = self.samples_with_vllm if self.is_one_process else self.shares_gpus
        return is_shared and not self.is_on_cpu

    @property
    def gpus(self) -> int:
        """The number of GPUs, or of processes on a CPU."""
        sampling = self.replicas * self.tensor_parallel
        return max(sampling, self.ranks) if self.shares_gpus else sampling + self.ranks


def training_of(recipe: Recipe) -> TrainingState:
    """Return what each parameter of a recipe's model costs while it learns."""
    optimizer, adapters = recipe.optimizer, recipe.model.lora
    state = adamw() if optimizer.type == "adamw" else adamw_8bit()
    if optimizer.offload:
        state = with_moments_on_host(state)
    if optimizer.parameters == "bfloat16":
        state = in_bfloat16(state)
    if adapters is None:
        return state
    names = [word.removesuffix("_proj") for word in adapters.targets]
    targets = LINEAR if adapters.targets == "all-linear" else tuple(names)
    if unknown := set(targets) - {*LINEAR, *FUSED}:
        raise ConfigError(
            f"no layer is named {min(unknown)!r}",
            where="model.lora.targets",
            expected=", ".join(f"{name}_proj" for name in (*LINEAR, *FUSED)),
        )
    compute_bytes: float = 2 if recipe.engine.precision == "bfloat16" else 4
    if adapters.is_packed:
        compute_bytes = FOUR_BITS
    return lora(adapters.rank, compute_bytes=compute_bytes, targets=targets, state=state)


def layout_of(recipe: Recipe) -> EngineLayout:
    """Return the layout of a recipe's engine block, with what its parameters cost."""
    engine = recipe.engine
    in_one_process = EngineLayout(
        is_one_process=True,
        is_on_cpu=engine.device == "cpu",
        is_bfloat16=engine.precision == "bfloat16",
        recompute=engine.recompute,
        token_budget=engine.token_budget,
        max_rows=engine.max_rows,
        training=training_of(recipe),
        keeps_reference=any(stage.update.kl_coefficient > 0 for stage in recipe.stage),
    )
    if engine.type == "local" and engine.rollout.type == "vllm":
        return replace(
            in_one_process,
            samples_with_vllm=True,
            memory_share=engine.rollout.memory_share,
            offloads=engine.offload,
        )
    if engine.type == "local":
        return in_one_process
    return replace(
        in_one_process,
        is_one_process=False,
        ranks=engine.learner.ranks,
        sequence_parallel=engine.learner.sequence_parallel,
        replicas=engine.rollout.replicas,
        tensor_parallel=engine.rollout.tensor_parallel,
        memory_share=engine.rollout.memory_share,
        shares_gpus=engine.placement == "shared",
        samples_with_vllm=engine.rollout.type == "vllm",
    )
