"""What a stage may change: data, rollout, update, entropy control."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from reasonrl.recipe.sources import DifficultyFilter, Source, Strict
from reasonrl.types import EntropyMode, Surrogate, TruncationRule


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
