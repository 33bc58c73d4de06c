"""What a stage may change: data, rollout, update, entropy control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from reasonrl.algo.choices import EntropyMode, Surrogate, TruncationRule
from reasonrl.algo.entropy import EntropyControl
from reasonrl.algo.schedule import Schedule, learning_rate_at
from reasonrl.recipe.sources import DifficultyFilter, Source, Strict, check_halves_named
from reasonrl.types import Sampling


class DataConfig(Strict):
    """The problems of a stage."""

    sources: tuple[Source, ...] = Field(min_length=1)
    """Where the problems come from."""
    difficulty: DifficultyFilter | None = None
    """Keep only problems of some difficulty for a model."""
    unreadable: Literal["fail", "drop"] = "fail"
    """What an answer that no verifier reads does: stop the start, or leave out its problem."""

    @model_validator(mode="after")
    def _check_halves(self) -> DataConfig:
        check_halves_named(self.sources)
        weights = [source.weight for source in self.sources]
        if None in weights and any(weight is not None for weight in weights):
            raise ValueError("some sources have a weight and others none; give each one or none")
        return self


class RolloutConfig(Strict):
    """How a step samples."""

    prompts_per_step: int = Field(default=256, ge=1)
    """Problems of a step."""
    group_size: int = Field(default=16, ge=2)
    """Rollouts of each problem, the report's G."""
    max_new_tokens: int = Field(default=8192, ge=1)
    """The limit of a completion, the report's T; the prompt comes on top of it."""
    max_prompt_tokens: int = Field(default=2048, ge=1)
    """Problems with a longer prompt are left out."""
    temperature: float = Field(default=1.0, gt=0)
    """The sampling temperature."""
    refill_rounds: int = Field(default=0, ge=0)
    """Rounds of sampling in place of groups without a signal."""

    def sampling(self, stop: tuple[str, ...]) -> Sampling:
        """Return how an engine is asked; the texts of `stop` end a completion."""
        return Sampling(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            group_size=self.group_size,
            stop=stop,
        )


class ClipCov(Strict):
    """Leave out some tokens of high covariance."""

    type: Literal["clip-cov"]
    """The kind of choice."""
    share: float = Field(default=2e-4, gt=0, le=1)
    """The share of all tokens that is left out."""
    low: float = 1.0
    """The smallest covariance of a token that may be left out."""
    high: float = 5.0
    """The largest covariance of such a token."""


class KlCov(Strict):
    """Hold the share of tokens with the highest covariance to their old log-probabilities."""

    type: Literal["kl-cov"]
    """The kind of choice."""
    share: float = Field(default=2e-3, gt=0, le=1)
    """The share of all tokens that is held."""
    coefficient: float = Field(default=1.0, ge=0)
    """How strongly these tokens are held."""


class HighEntropy(Strict):
    """Learn from the share of tokens with the highest entropy only."""

    type: Literal["high-entropy"]
    """The kind of choice."""
    share: float = Field(default=0.2, gt=0, le=1)
    """The share of all tokens that is learned from."""


Focus = Annotated[ClipCov | KlCov | HighEntropy, Field(discriminator="type")]


class UpdateConfig(Strict):
    """How a step learns. N_SGD = minibatches * reuse; 1 is on-policy.

    The report has the fields up to `truncation`. The others are variants from elsewhere;
    docs/algorithm.md has their formulas and sources.
    """

    learning_rate: float = Field(default=1e-6, gt=0)
    """The learning rate of AdamW; with a warm-up or a schedule its highest value."""
    warmup_steps: int = Field(default=0, ge=0)
    """The first steps of a stage, over which the rate rises to `learning_rate`."""
    schedule: Schedule = "constant"
    """The rate after the warm-up: as it is, or falling to 0 at the stage's end."""
    minibatches: int = Field(default=1, ge=1)
    """Parts that a step's groups are cut into; each part is one update."""
    reuse: int = Field(default=1, ge=1)
    """Passes over these parts."""
    clip_low: float = Field(default=0.2, ge=0, le=1)
    """The clip range of the ratio below 1."""
    clip_high: float = Field(default=0.2, ge=0)
    """The clip range of the ratio above 1."""
    kl_coefficient: float = Field(default=0.0, ge=0)
    """The weight of the distance to the reference policy; 0 keeps no reference."""
    reference: str = ""
    """The reference policy, such as a teacher: a model of the same vocabulary, by any name that
    `model.name` may have. The starting policy if left out."""
    truncation: TruncationRule = TruncationRule.NONE
    """What a truncated rollout does to its group."""
    surrogate: Surrogate = Surrogate.PPO
    """The policy term."""
    focus: Focus | None = None
    """A choice among tokens."""
    advantage: str = Field(default="group", pattern=r"^(group|rloo|.+\.py:[A-Za-z_]\w*)$")
    """How a group's rewards become advantages: `group` (the report), `rloo` (against the mean of
    the others), or `FILE.py:NAME` beside the recipe."""
    scale_advantages: bool = True
    """Divide advantages by the group's deviation; Dr. GRPO does not."""
    average: Literal["tokens", "limit"] = "tokens"
    """Divide a sum over tokens by their number, or by `max_new_tokens` as Dr. GRPO does."""
    router_loss: Literal["off", "model"] = "off"
    """Add the loss by which a mixture of experts balances its routers, with the model's factor."""

    @property
    def has_own_advantage(self) -> bool:
        """Return whether `advantage` is a function of the user's own."""
        return ":" in self.advantage

    @model_validator(mode="after")
    def _check_variants(self) -> UpdateConfig:
        if self.advantage != "group" and not self.scale_advantages:
            raise ValueError('scale_advantages belongs to advantage = "group"; remove one of them')
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
    """The entropy term. Values that are left out come from the preset that `mode` names."""

    mode: EntropyMode = EntropyMode.REPORT
    """Who decides the weight alpha_k of the entropy term."""
    target_nats: float = Field(default=0.2, ge=0)
    """The entropy to hold, in nats a token; mode "relative" does not use it."""
    target_share: float = Field(default=0.6, gt=0)
    """The share of the first step's entropy to hold, for mode "relative"."""
    delta: float = Field(ge=0)
    """How much c_k changes in a step."""
    minimum: float = Field(default=0.0, ge=0)
    """The smallest c_k."""
    maximum: float = Field(ge=0)
    """The largest c_k."""
    initial: float = Field(default=0.0, ge=0)
    """c_0; the constant weight of mode "fixed"."""

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {**_ENTROPY_PRESETS.get(given.get("mode", "report"), {}), **given}

    @property
    def control(self) -> EntropyControl:
        """Return the constants of the controller."""
        return EntropyControl(**dict(self))


class Plateau(Strict):
    """End a stage early when its accuracy stops rising."""

    window: int = Field(default=20, ge=1)
    """Steps of which the mean accuracy is taken."""
    min_gain: float = 0.0
    """The gain of one window on the window before it, under which the stage ends."""

    def is_reached(self, accuracies: Sequence[float]) -> bool:
        """Return whether the last window of steps gained less than asked on the one before it."""
        if len(accuracies) < 2 * self.window:
            return False
        last = sum(accuracies[-self.window :]) / self.window
        previous = sum(accuracies[-2 * self.window : -self.window]) / self.window
        return last - previous < self.min_gain


class Settings(Strict):
    """What every stage has; at the recipe's top these are the defaults of all stages."""

    data: DataConfig
    """The problems."""
    rollout: RolloutConfig = RolloutConfig()
    """How a step samples."""
    update: UpdateConfig = UpdateConfig()
    """How a step learns."""
    entropy: EntropyConfig = EntropyConfig.model_validate({})
    """The entropy term."""


class Stage(Settings):
    """One span of steps."""

    name: str = ""
    """The stage's name; `stage-N` if it is left out."""
    steps: int = Field(ge=1)
    """The most steps of the stage."""
    plateau: Plateau | None = None
    """End the stage early when its accuracy stops rising."""
    optimizer_state: Literal["carry", "reset"] = "carry"
    """Keep the optimizer's moments from the stage before, or forget them."""
    entropy_state: Literal["carry", "reset"] = "carry"
    """Keep the entropy controller's state from the stage before, or start again."""
    drop_solved: bool = False
    """Leave out problems that the stage before solved in every rollout of their last visit."""

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return learning_rate_at(
            step,
            steps=self.steps,
            peak=self.update.learning_rate,
            warmup_steps=self.update.warmup_steps,
            schedule=self.update.schedule,
        )
