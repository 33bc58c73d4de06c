"""Where a run computes: everything in this process, or actors on a Ray cluster.

`EngineConfig` is a tagged union: `type` names the member, `local` if it is left out. A value that
only one member has (`placement`, `learner`, ...) cannot be set on the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from reasonrl.recipe.sources import Strict


class EngineBase(Strict):
    """The settings that every engine has."""

    device: str = "cpu"
    """The device of the models: `cpu`, `cuda`, or `cuda:N`."""
    threads: int = Field(default=0, ge=0)
    """Threads of each process; 0 takes as many as cores are free, and looks again at each step."""
    compute: Literal["float32", "bfloat16", "auto"] = "float32"
    """The type that layers compute in; `auto` takes the faster of the two when the run begins.
    Weights, gradients, head and optimizer stay float32."""
    recompute: bool = False
    """Keep one tensor a layer for the backward pass and compute the others again: less memory."""
    token_budget: int = Field(default=4096, ge=1)
    """The most tokens of a microbatch on one rank."""
    max_rows: int = Field(default=128, ge=1)
    """The most rollouts that one engine samples side by side."""

    @property
    def precision(self) -> Literal["float32", "bfloat16"]:
        """Return `compute`; where nobody has looked at the device, `auto` goes by its kind."""
        if self.compute != "auto":
            return self.compute
        return "float32" if self.device == "cpu" else "bfloat16"

    def computing_in(self, compute: str) -> Self:
        """Return the engine with another `compute`."""
        return self.model_copy(update={"compute": compute})


def _type_of(table: Any) -> str:
    """Return the tag of a table, `local` where the table does not say."""
    if isinstance(table, Mapping):
        return str(table.get("type", "local"))
    return str(getattr(table, "type", "local"))


class OwnModule(Strict):
    """Sample with the learner's own module."""

    type: Literal["local"] = "local"
    """The kind of sampler."""


class InProcessVllm(Strict):
    """Sample with vLLM in the learner's process; the two take turns on one GPU."""

    type: Literal["vllm"] = "vllm"
    """The kind of sampler."""
    memory_share: float = Field(default=0.5, gt=0, lt=1)
    """The share of the GPU's memory that vLLM takes while it samples."""


class LocalEngineConfig(EngineBase):
    """One process that samples and learns, on a CPU or one GPU."""

    type: Literal["local"] = "local"
    """The kind of engine."""
    rollout: Annotated[
        Annotated[OwnModule, Tag("local")] | Annotated[InProcessVllm, Tag("vllm")],
        Discriminator(_type_of),
    ] = OwnModule()
    """The sampler: the learner's own module, or vLLM."""
    offload: bool = False
    """Move the learner's weights and moments to the host's memory while vLLM samples."""

    @model_validator(mode="after")
    def _check_sampler(self) -> LocalEngineConfig:
        is_vllm = isinstance(self.rollout, InProcessVllm)
        if self.offload and not is_vllm:
            raise ValueError(
                'offload = true needs rollout.type = "vllm": a local sampler computes with the '
                "learner's own weights, which must stay where it samples"
            )
        if is_vllm and self.device not in ("cpu", "cuda", "cuda:0"):
            raise ValueError(
                'vLLM takes the first GPU that it sees; set device = "cuda" and choose the GPU '
                "with the environment variable CUDA_VISIBLE_DEVICES"
            )
        return self

    @property
    def gpus(self) -> int:
        """Return the GPUs that the engine takes when `device` is a GPU."""
        return 1


class RolloutReplicas(Strict):
    """The samplers of a cluster."""

    type: Literal["vllm", "local"] = "vllm"
    """The engine of each replica."""
    replicas: int = Field(default=1, ge=1)
    """The number of replicas."""
    tensor_parallel: int = Field(default=1, ge=1)
    """GPUs of each replica."""
    memory_share: float = Field(default=0.85, gt=0, lt=1)
    """The share of a GPU's memory that a vLLM replica takes."""
    timeout_s: float = Field(default=600.0, gt=0)
    """Seconds without a sign of life after which a replica is replaced."""


class LearnerRanks(Strict):
    """The learners of a cluster: FSDP2 ranks."""

    ranks: int = Field(default=1, ge=1)
    """The number of ranks, one on each GPU."""
    sequence_parallel: int = Field(default=1, ge=1)
    """Ranks that share each row of tokens."""
    timeout_s: float = Field(default=3_600.0, gt=0)
    """Seconds without a sign of life after which the ranks are given up."""


class RayEngineConfig(EngineBase):
    """Actors of a Ray cluster: replicas that sample, and ranks that learn."""

    type: Literal["ray"] = "ray"
    """The kind of engine."""
    placement: Literal["separate", "shared"] = "separate"
    """With `shared`, replicas and ranks take turns on the same GPUs."""
    sync: Literal["store", "wire"] = "store"
    """How new weights reach the replicas: through Ray's object store, or straight from the memory
    of the ranks over nccl (gloo on CPUs); where that wire breaks, by the store."""
    restarts: int = Field(default=3, ge=0)
    """How often a run that lost a rank starts again from its last checkpoint."""
    rollout: RolloutReplicas = RolloutReplicas()
    """The samplers."""
    learner: LearnerRanks = LearnerRanks()
    """The learners."""

    @model_validator(mode="after")
    def _check_ranks(self) -> RayEngineConfig:
        if self.learner.ranks % self.learner.sequence_parallel:
            raise ValueError("learner.ranks must be a multiple of learner.sequence_parallel")
        if self.sync == "wire" and self.placement == "shared":
            raise ValueError('sync = "wire" needs placement = "separate": drop one of the two keys')
        return self

    @property
    def gpus(self) -> int:
        """Return the GPUs that the layout takes when `device` is a GPU."""
        sampling = self.rollout.replicas * self.rollout.tensor_parallel
        if self.placement == "shared":
            return max(sampling, self.learner.ranks)
        return sampling + self.learner.ranks


EngineConfig = Annotated[
    Annotated[LocalEngineConfig, Tag("local")] | Annotated[RayEngineConfig, Tag("ray")],
    Discriminator(_type_of),
]
