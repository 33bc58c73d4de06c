"""Keys of a recipe: unknown keys, the nearest known key, and the key that an error is about."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

OTHER_NAMES = {
    "num_generations": "rollout.group_size",
    "rollout_n": "rollout.group_size",
    "rollouts_per_example": "rollout.group_size",
    "max_completion_length": "rollout.max_new_tokens",
    "max_response_length": "rollout.max_new_tokens",
    "max_tokens": "rollout.max_new_tokens",
    "seq_len": "rollout.max_new_tokens",
    "max_prompt_length": "rollout.max_prompt_tokens",
    "train_batch_size": "rollout.prompts_per_step",
    "per_device_train_batch_size": "engine.token_budget (tokens of a microbatch)",
    "gradient_accumulation_steps": "engine.token_budget (tokens of a microbatch)",
    "ppo_mini_batch_size": "update.minibatches (their number)",
    "ppo_epochs": "update.reuse",
    "num_iterations": "update.reuse",
    "epochs": "steps of a [[stage]] (a step takes rollout.prompts_per_step problems)",
    "num_train_epochs": "steps of a [[stage]] (a step takes rollout.prompts_per_step problems)",
    "total_epochs": "steps of a [[stage]] (a step takes rollout.prompts_per_step problems)",
    "max_steps": "steps of a [[stage]]",
    "lr": "update.learning_rate",
    "beta": "update.kl_coefficient",
    "kl_coef": "update.kl_coefficient",
    "kl_loss_coef": "update.kl_coefficient",
    "epsilon_high": "update.clip_high",
    "clip_ratio": "update.clip_low and update.clip_high",
    "clip_ratio_low": "update.clip_low",
    "clip_ratio_high": "update.clip_high",
    "entropy_coeff": 'entropy.initial with entropy.mode = "fixed"',
    "scale_rewards": "update.scale_advantages",
    "reward_funcs": "[[reward]] tables, see docs/own-reward.md",
    "reward_function": "[[reward]] tables, see docs/own-reward.md",
    "custom_reward_function": "[[reward]] tables, see docs/own-reward.md",
    "reward_weights": "weight in each [[reward]] table",
    "save_steps": "checkpoint.every",
    "save_freq": "checkpoint.every",
    "save_total_limit": "checkpoint.keep",
    "eval_steps": "every in a [[suite]] table",
    "test_freq": "every in a [[suite]] table",
    "report_to": "trackers",
    "logger": "trackers",
    "max_grad_norm": "optimizer.max_gradient_norm",
    "lora_r": "model.lora.rank",
    "lora_rank": "model.lora.rank",
    "lora_alpha": "model.lora.alpha",
    "lora_target_modules": "model.lora.targets",
    "target_modules": "model.lora.targets",
    "columns": "fields in a source",
    "dataset": "data.sources",
    "train_files": "data.sources",
}
"""Names of TRL, verl and prime-rl, in lower case, and what a recipe calls them."""

_WHOLE = (
    "the whole support in training: what is cut away has probability 0 for the sampler and not for "
    "the learner, so the ratio would be biased (a [[suite]] may set it)"
)
_NO_DROPOUT = (
    "no dropout: sampler and learner would compute two functions, so the ratio of the first update "
    "would not be 1, and no step could be repeated exactly"
)
REASONS = {
    "top_p": _WHOLE,
    "top_k": _WHOLE,
    "min_p": _WHOLE,
    "dropout": _NO_DROPOUT,
    "lora_dropout": _NO_DROPOUT,
}
"""Keys that users look for where there is none, and what stands in their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownKey:
    """A key that no field of the recipe has, and a sentence on what was expected."""

    key: str
    expected: str


def unknown_keys(model: type[BaseModel], data: Any, at: str = "") -> Iterator[UnknownKey]:
    """Yield each key of a table that no field has; `at` is the table's own key with a dot."""
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        here = f"{at}{key}"
        if key not in model.model_fields:
            if ours := OTHER_NAMES.get(key.lower()):
                yield UnknownKey(key=here, expected=f"our name for it, {ours}")
                continue
            if reason := REASONS.get(key.lower()):
                yield UnknownKey(key=here, expected=reason)
                continue
            near = difflib.get_close_matches(key, model.model_fields, n=1, cutoff=0.5)
            nearest = f"; the nearest is {f'{at}{near[0]}'!r}" if near else ""
            yield UnknownKey(key=here, expected=f"a known key{nearest}")
            continue
        members = _models_in(model.model_fields[key].annotation)
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(items, start=1):
            inside = f"{here}.{number}." if isinstance(value, list) else f"{here}."
            yield from _unknown_in(members, item, inside)


def key_of(location: Sequence[int | str], data: Any) -> str:
    """Return the dotted key of an error's location in pydantic's form; tables count from 1.

    The location also names the member of a union that was chosen; a recipe has no such key.
    """
    parts = []
    node = data
    for part in location:
        if isinstance(node, Mapping) and part not in node and part == node.get("type", "local"):
            continue
        parts.append(str(part + 1) if isinstance(part, int) else part)
        is_key = isinstance(node, Mapping) and part in node
        is_index = isinstance(node, list) and isinstance(part, int) and part < len(node)
        node = node[part] if is_key or is_index else None
    return ".".join(parts)


def _unknown_in(members: Sequence[type[BaseModel]], item: Any, at: str) -> Iterator[UnknownKey]:
    """Yield the unknown keys of a table; its `type` names one of several models."""
    model = _member_for(members, item)
    if model is None:
        return
    for unknown in unknown_keys(model, item, at):
        parts = unknown.key.removeprefix(at).split(".")
        owners = [member for member in members if _has_key(member, parts)]
        # Where the table's own model has the key, an inner table named the wrong type.
        if owners and model not in owners:
            types = " or ".join(json.dumps(word) for owner in owners for word in _types_of(owner))
            yield UnknownKey(key=unknown.key, expected=f"{at}type = {types} beside this key")
        else:
            yield unknown


def _has_key(model: type[BaseModel], parts: Sequence[str]) -> bool:
    """Return whether a model has a field at a dotted key."""
    first, *rest = parts
    if first not in model.model_fields or not rest:
        return first in model.model_fields
    inner = _models_in(model.model_fields[first].annotation)
    return any(_has_key(member, rest) for member in inner)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models inside a field's annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (tuple, Annotated, Union, UnionType):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []


def _member_for(members: Sequence[type[BaseModel]], item: Any) -> type[BaseModel] | None:
    """Return the model that a table's `type` names, or the only one."""
    if len(members) == 1:
        return members[0]
    if isinstance(item, Mapping):
        for model in members:
            tag = model.model_fields.get("type")
            if tag is not None and item.get("type", tag.default) in _types_of(model):
                return model
    return None


def _types_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the words that choose a member of a tagged union."""
    tag = model.model_fields.get("type")
    return get_args(tag.annotation) if tag is not None else ()
