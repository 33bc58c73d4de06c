"""A whole run, and an evaluation without training: what is the same for all stages.

`Recipe` holds the defaults of all stages, the stages, and what holds for the run; `recipe.stages`
has what a stage may change, `recipe.toml` reads one from a file.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from reasonrl.recipe.doctor import DoctorConfig
from reasonrl.recipe.engine import EngineConfig, LocalEngineConfig, RayEngineConfig
from reasonrl.recipe.pipeline import PipelineConfig
from reasonrl.recipe.prompt import ModelConfig, PromptConfig
from reasonrl.recipe.record import RecordConfig
from reasonrl.recipe.rewards import Reward, check_components, has_verifier
from reasonrl.recipe.sources import Source, Strict, check_test_halves
from reasonrl.recipe.stages import Settings, Stage
from reasonrl.types import Sampling
from reasonrl.verify.code.tests import MAX_MEMORY_MB, MAX_TIME_S
from reasonrl.verify.code.verdict import CodeOptions
from reasonrl.verify.verifier import DEFAULT_DEADLINE_S

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""The form of the names of recipes and suites: they name files and directories."""

_CODE = CodeOptions()


class OptimizerConfig(Strict):
    """AdamW as in the released code; the report gives only the learning rate."""

    type: Literal["adamw", "adamw-8bit"] = "adamw"
    """With `adamw-8bit` the moments are kept in 8 bits a number; the local engine has it."""
    offload: bool = False
    """Keep the moments in the host's memory: the same numbers in more time; the local engine."""
    parameters: Literal["float32", "bfloat16"] = "float32"
    """With `bfloat16` a weight is the number that layers compute with and what is missing to it."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """The decay of the first moment."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """The decay of the second moment."""
    epsilon: float = Field(default=1e-8, gt=0)
    """The term that keeps the denominator from zero."""
    weight_decay: float = Field(default=0.01, ge=0)
    """The decay of the weights, decoupled from the gradient."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    """The norm that a larger gradient is scaled down to."""


class Suite(Strict):
    """Problems to evaluate on, before and after training."""

    name: str = Field(pattern=NAME)
    """The suite's name in every result."""
    sources: tuple[Source, ...] = Field(min_length=1)
    """Where the problems come from."""
    k: int = Field(default=8, ge=1)
    """Samples of each problem."""
    temperature: float = Field(default=1.0, ge=0)
    """0 is greedy. A file may hold a list: one suite for each value, named `NAME-t0.6`."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the fewest tokens that hold this share of the probability."""
    top_k: int = Field(default=0, ge=0)
    """Sample from this many of the likeliest tokens; 0 is all."""
    min_p: float = Field(default=0.0, ge=0, lt=1)
    """Leave out tokens with less than this share of the likeliest token's probability."""
    seed: int | None = Field(default=None, ge=0)
    """The seed of the samples, in place of the recipe's. A file may hold a list: one suite for each
    seed, named `NAME-s2`."""
    max_new_tokens: int = Field(ge=1)
    """The limit of a completion, in tokens."""
    limit: int | None = Field(default=None, ge=1)
    """Evaluate on this many problems, always the same ones; a larger limit adds to them."""
    every: int = Field(default=0, ge=0)
    """Steps between evaluations during training; 0 is never."""

    @model_validator(mode="after")
    def _check_halves(self) -> Suite:
        check_test_halves(self.sources)
        return self

    def seed_in(self, recipe_seed: int) -> int:
        """Return the seed of the samples: the suite's own, or the recipe's."""
        return recipe_seed if self.seed is None else self.seed

    def sampling(self, stop: tuple[str, ...]) -> Sampling:
        """Return how an engine is asked; the texts of `stop` end a completion."""
        return Sampling(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            group_size=self.k,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            stop=stop,
        )


class CodeConfig(Strict):
    """How programs are judged. Limits hold for each test whose problem sets none of its own."""

    time_s: float = Field(default=_CODE.time_s, gt=0, le=MAX_TIME_S)
    """Seconds of a test."""
    memory_mb: int = Field(default=_CODE.memory_mb, ge=32, le=MAX_MEMORY_MB)
    """Memory of a test, in MB."""
    problem_s: float = Field(default=_CODE.problem_s, gt=0)
    """Seconds of all tests of one program together."""
    stop_early: bool = _CODE.stop_early
    """Stop at the first test that fails."""
    reward: Literal["binary", "fraction"] = _CODE.reward
    """With `fraction` the reward is the share of tests that pass; then all tests run."""
    isolation: Literal["namespaces", "landlock", "none"] = "namespaces"
    """The weakest sandbox to accept; docs/verifiers.md says what each keeps out."""


class VerifyConfig(Strict):
    """How answers are judged."""

    workers: int = Field(default=1, ge=1)
    """Processes for algebra, and for programs."""
    deadline_s: float = Field(default=DEFAULT_DEADLINE_S, gt=0)
    """Seconds that one answer may take; an answer that takes longer is masked, not wrong."""
    unboxed: bool = False
    """Take the final number of a response without a box: for models that never learned to box."""
    max_failed_share: float = Field(default=0.5, gt=0, le=1)
    """The run stops when a larger share of a step's answers could not be judged."""
    code: CodeConfig = CodeConfig()
    """How programs are judged."""


class CheckpointConfig(Strict):
    """The points that a run can be resumed from."""

    every: int = Field(default=20, ge=1)
    """Steps between two checkpoints."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints that stay on disk."""
    best: str = ""
    """A suite; the checkpoint with its best score so far stays too. The suite needs `every`."""


class Recipe(Settings):
    """A whole run."""

    name: str = Field(pattern=NAME)
    """The run's name."""
    seed: int = Field(default=1, ge=0)
    """The seed that every random number of the run derives from."""
    model: ModelConfig = ModelConfig()
    """The model that training starts from."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The constants of AdamW."""
    engine: EngineConfig = LocalEngineConfig()
    """Where the run computes."""
    pipeline: PipelineConfig | None = None
    """Sample ahead of the updates, on a cluster."""
    verify: VerifyConfig = VerifyConfig()
    """How answers are judged."""
    reward: tuple[Reward, ...] = ()
    """The components of a rollout's reward; the verifier alone if there are none."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """The points that the run can be resumed from."""
    record: RecordConfig = RecordConfig()
    """What the run records of each token."""
    doctor: DoctorConfig = DoctorConfig()
    """What the doctor may do with the run."""
    trackers: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    """Services that show the run's numbers elsewhere."""
    suite: tuple[Suite, ...] = ()
    """Evaluations before, during and after training; the first is the headline."""
    stage: tuple[Stage, ...] = Field(min_length=1)
    """The stages, in order."""

    @property
    def ahead(self) -> PipelineConfig | None:
        """Return how the run samples ahead, None where it takes a step at a time."""
        return self.pipeline if self.pipeline and self.pipeline.staleness else None

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        is_apart = isinstance(self.engine, RayEngineConfig) and self.engine.placement == "separate"
        if self.pipeline and not is_apart:
            raise ValueError(
                '[pipeline] needs engine.type = "ray" and engine.placement = "separate": '
                "sampling and learning happen at the same time"
            )
        check_components(self.reward)
        if not self.has_verifier and any(stage.drop_solved for stage in self.stage):
            raise ValueError(
                "drop_solved asks the verifier, which no reward table names; remove it"
            )
        if len({stage.update.reference for stage in self.stage}) > 1:
            raise ValueError("stages name several update.reference; a run keeps one")
        _check_state(self.optimizer, self.engine, self.model)
        if self.checkpoint.best:
            _check_best(self.checkpoint.best, self.suite)
        _check_differ("stage", [stage.name for stage in self.stage])
        _check_differ("suite", [suite.name for suite in self.suite])
        return self

    @property
    def has_verifier(self) -> bool:
        """Return whether a verifier judges answers."""
        return has_verifier(self.reward)


class EvalRecipe(PromptConfig):
    """An evaluation without training: the questions, and how the answers are judged."""

    name: str = Field(pattern=NAME)
    """The evaluation's name."""
    seed: int = Field(default=1, ge=0)
    """The seed of the samples."""
    engine: EngineConfig = LocalEngineConfig()
    """Where the evaluation computes."""
    verify: VerifyConfig = VerifyConfig()
    """How answers are judged."""
    reward: tuple[Reward, ...] = ()
    """The components of a sample's reward; the verifier alone if there are none."""
    suite: tuple[Suite, ...] = Field(min_length=1)
    """The problems to evaluate on."""

    @model_validator(mode="after")
    def _check_names(self) -> EvalRecipe:
        check_components(self.reward)
        _check_differ("suite", [suite.name for suite in self.suite])
        return self

    @property
    def has_verifier(self) -> bool:
        """Return whether a verifier judges answers."""
        return has_verifier(self.reward)


def eval_recipe_of(recipe: Recipe) -> EvalRecipe:
    """Return the evaluation of a recipe's model; ValueError for no suite."""
    return EvalRecipe(
        name=recipe.name,
        seed=recipe.seed,
        **recipe.model.model_dump(include=set(PromptConfig.model_fields)),
        engine=recipe.engine,
        verify=recipe.verify,
        reward=recipe.reward,
        suite=recipe.suite,
    )


def _check_state(optimizer: OptimizerConfig, engine: EngineConfig, model: ModelConfig) -> None:
    """Refuse ways to keep the training state that the engine does not have."""
    plain = OptimizerConfig()
    changed = {
        "type": optimizer.type != plain.type,
        "offload": optimizer.offload,
        "parameters": optimizer.parameters != plain.parameters,
    }
    if isinstance(engine, RayEngineConfig) and any(changed.values()):
        key = next(key for key, is_changed in changed.items() if is_changed)
        raise ValueError(
            f"optimizer.{key} is the local engine's: FSDP2 shares the state among ranks instead; "
            f'set engine.type = "local", or remove optimizer.{key}'
        )
    if isinstance(engine, RayEngineConfig) and model.lora and model.lora.is_packed:
        raise ValueError(
            'model.lora.frozen = "4bit" needs engine.type = "local": FSDP2 cannot share packed '
            "matrices among ranks; set it, or remove model.lora.frozen"
        )
    if optimizer.parameters == "bfloat16" and engine.compute != "bfloat16":
        raise ValueError(
            'optimizer.parameters = "bfloat16" needs engine.compute = "bfloat16": it keeps the '
            "number that layers compute with, and what is missing to the float32 weight"
        )
    if optimizer.parameters == "bfloat16" and model.lora is not None:
        raise ValueError(
            'optimizer.parameters = "bfloat16" has nothing to keep beside [model.lora]: frozen '
            "weights are in engine.compute already; remove it"
        )


def _check_best(name: str, suites: tuple[Suite, ...]) -> None:
    every = {suite.name: suite.every for suite in suites}
    if name not in every:
        names = ", ".join(every) or "there is none"
        raise ValueError(f"checkpoint.best = {name!r} is no suite of the recipe; expected {names}")
    if every[name] == 0:
        raise ValueError(f"checkpoint.best needs scores: set every in the suite {name!r}")


def _check_differ(kind: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"two {kind} tables share a name")
