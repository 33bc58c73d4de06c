"""Settings that could explain by themselves why a policy does not learn, or forgets.

A rule sees what goes wrong, and knows the cause that is likely in a sound recipe. A recipe that was
broken in a way that no rule was written for is seldom broken in every key: mostly one setting is
far outside what the field uses. That setting is the first suspect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf, log
from operator import attrgetter

from reasonrl.algo.choices import Surrogate
from reasonrl.diagnosis.history import History, key_of
from reasonrl.recipe import Recipe, Settings, Stage
from reasonrl.recipe.prompt import PromptConfig

_LEARNING = frozenset({
    "policy-broken", "accuracy-falls", "nothing-moves", "none-solved", "few-groups",
    "gradient-spike", "open-thoughts", "truncated",
})  # fmt: skip
_ASKING = frozenset({"no-answer-read", "none-solved", "open-thoughts", "never-ends"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A setting, what it does to a policy, the key and the value to try, and what it explains.

    `distance` is the logarithm of how many times the value lies outside what is usual. `explains`
    are the rules whose own cause is a guess that the setting outweighs.
    """

    words: str
    key: str
    value: str
    distance: float
    explains: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual for a number of a recipe: between `low` and `high`; `cure` is what to try.

    `read` returns the number where it is not the key's own, and None where it does nothing.
    `too_low` and `too_high` say what such a number does.
    """

    key: str
    cure: str
    low: float = -inf
    high: float = inf
    too_low: str = ""
    too_high: str = ""
    read: Callable[[Recipe, Stage], float | None] | None = None

    @property
    def is_of_stage(self) -> bool:
        """Return whether stages may differ in the key."""
        return self.key.partition(".")[0] in Settings.model_fields

    def number(self, recipe: Recipe, stage: Stage) -> float | None:
        """Return the number of a stage, None where it does nothing."""
        if self.read is not None:
            return self.read(recipe, stage)
        number: float = attrgetter(self.key)(stage if self.is_of_stage else recipe)
        return number


def _clips(stage: Stage) -> bool:
    update = stage.update
    return update.surrogate is Surrogate.PPO and update.minibatches * update.reuse > 1


USUAL = (
    Usual(
        key="rollout.temperature", cure="1.0", low=0.4, high=1.6,
        too_low="the rollouts of a problem hardly differ, so they teach little",
        too_high="texts that are sampled so hot fall apart",
    ),
    Usual(
        key="rollout.group_size", cure="16", low=4,
        too_low="an advantage among so few rollouts is noise",
    ),
    Usual(
        key="rollout.prompts_per_step", cure="64", low=4,
        too_low="the gradient of so few problems is noise",
    ),
    Usual(
        key="update.kl_coefficient", cure="0.001", high=0.2,
        too_high="the penalty holds the policy where it began",
    ),
    Usual(
        key="update.warmup_steps", cure="0", high=0.5,
        read=lambda _, stage: stage.update.warmup_steps / stage.steps,
        too_high="the rate is still rising when the stage is half over",
    ),
    Usual(
        key="update.minibatches", cure="1", high=16,
        too_high="so many updates carry the policy away from its own rollouts",
    ),
    Usual(
        key="update.reuse", cure="1", high=8,
        too_high="so many passes carry the policy away from its own rollouts",
    ),
    Usual(
        key="update.clip_high", cure="0.2", low=0.02, high=2,
        read=lambda _, stage: stage.update.clip_high if _clips(stage) else None,
        too_low="nearly every better token is clipped",
        too_high="nothing bounds how far an update goes",
    ),
    Usual(
        key="update.clip_low", cure="0.2", low=0.02,
        read=lambda _, stage: stage.update.clip_low if _clips(stage) else None,
        too_low="nearly every worse token is clipped",
    ),
    Usual(
        key="update.focus.share", cure="0.2", low=0.01,
        read=lambda _, stage: _focus_share(stage),
        too_low="hardly a token is learned from",
    ),
    Usual(
        key="entropy.target_nats", cure="0.2", high=2,
        read=lambda _, stage: stage.entropy.target_nats if stage.entropy.maximum else None,
        too_high="no policy that answers has so much entropy",
    ),
    Usual(
        key="optimizer.beta1", cure="0.9", high=0.98,
        too_high="an update follows the gradients of steps that are long past",
    ),
    Usual(
        key="optimizer.beta2", cure="0.999", low=0.8,
        too_low="every weight moves by the whole rate, whatever its gradient",
    ),
    Usual(
        key="optimizer.epsilon", cure="1e-8", high=1e-4,
        too_high="it outweighs the gradients, so that weights hardly move",
    ),
    Usual(
        key="optimizer.weight_decay", cure="0.01", high=0.5,
        too_high="the weights shrink faster than they learn",
    ),
    Usual(
        key="optimizer.max_gradient_norm", cure="1.0", low=1e-4,
        too_low="gradients are scaled down to nothing",
    ),
    Usual(
        key="pipeline.staleness", cure="1", high=8,
        read=lambda recipe, _: recipe.ahead.staleness if recipe.ahead else None,
        too_high="the policy learns from rollouts of one that is long gone",
    ),
    Usual(
        key="model.lora.alpha", cure="32", low=0.25, high=16,
        read=lambda recipe, _: _lora_factor(recipe),
        too_low="the adapters hardly count",
        too_high="the adapters outweigh the model",
    ),
)  # fmt: skip
"""What is usual, from the report, the defaults of the field's libraries, and what the lab bore."""


_OF_THE_PROMPT = (
    "system_prompt", "prompt_style", "chat_template", "chat_template_args", "thought_marks",
)  # fmt: skip


def suspects(history: History) -> list[Suspect]:
    """Return the settings of the last step's stage that are far outside, the farthest first.

    A function of the user's own comes later, for nothing is known of it, and what changes the
    prompt comes last.
    """
    recipe, stage = history.recipe, history.stage()
    found = sorted(_unusual(history), key=lambda one: -one.distance)
    for number, component in enumerate(recipe.reward, start=1):
        if component.type == "verifier" and component.weight < 0:
            found.insert(0, Suspect(
                words=f"reward.{number}.weight = {component.weight:g} takes reward away from right "
                "answers", key=f"reward.{number}.weight", value="1", distance=inf,
                explains=_LEARNING,
            ))  # fmt: skip
    if stage.update.has_own_advantage:
        found.append(Suspect(
            words=f"update.advantage = {stage.update.advantage} is a function of your own",
            key=key_of(history, "update.advantage"), value="group", distance=0.0,
            explains=_LEARNING,
        ))  # fmt: skip
    return [*found, *_asking(recipe)]


def _asking(recipe: Recipe) -> Iterator[Suspect]:
    """Yield the user's settings that change what the model is asked, or where it ends."""
    model = recipe.model
    if model.stop:
        yield Suspect(
            words=f"model.stop = {json.dumps(list(model.stop))} may end completions before their "
            "answer", key="model.stop", value="[]", distance=0.0, explains=_ASKING,
        )  # fmt: skip
    for name, plain in PromptConfig.model_fields.items():
        if name in _OF_THE_PROMPT and getattr(model, name) != plain.default:
            yield Suspect(
                words=f"the model is asked with model.{name} of your own: read a prompt of the "
                "rollouts", key="model.prompt_style" if name == "prompt_style" else "",
                value="chat" if name == "prompt_style" else "", distance=0.0, explains=_ASKING,
            )  # fmt: skip


def _unusual(history: History) -> Iterator[Suspect]:
    recipe, stage = history.recipe, history.stage()
    for usual in USUAL:
        number = usual.number(recipe, stage)
        if number is None or usual.low <= number <= usual.high:
            continue
        is_low = number < usual.low
        bound = usual.low if is_low else usual.high
        key = key_of(history, usual.key) if usual.is_of_stage else usual.key
        yield Suspect(
            words=f"{usual.key} is far {'below' if is_low else 'above'} what is usual: "
            f"{usual.too_low if is_low else usual.too_high}",
            key=key,
            value=usual.cure,
            distance=abs(log(max(number, 1e-12) / bound)),
            explains=_LEARNING,
        )


def _focus_share(stage: Stage) -> float | None:
    focus = stage.update.focus
    return focus.share if focus is not None and focus.type == "high-entropy" else None


def _lora_factor(recipe: Recipe) -> float | None:
    lora = recipe.model.lora
    return None if lora is None else lora.alpha / lora.rank
