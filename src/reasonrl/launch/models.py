"""What a name on the command line stands for: a model, a run, or a checkpoint of a run.

Called by `evaluate` and `export`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.engines.local import LocalEngine
from reasonrl.errors import CheckpointError
from reasonrl.launch.request import run_of, short_hash, slug
from reasonrl.models.hf import LanguageModel, load_model, load_tokenizer
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.recipe import Recipe
from reasonrl.recipe.toml import load_recipe
from reasonrl.run import checkpoint
from reasonrl.run.layout import CHECKPOINTS, CONFIG, MODEL, SUMMARY, checkpoint_paths

_LABEL = 60  # characters of a name that a folder shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Say where a model is: in `base`, with the weights of `checkpoint` where there is one.

    `run` is the directory of the run that it comes from, if it does.
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
        return None if self.run is None else load_recipe(self.run / CONFIG)


def find_model(name: str) -> Place:
    """Find out what a name stands for.

    A finished run stands for its final model, another for its newest checkpoint, which gives the
    place its name; `RUN/checkpoints/step-N` for itself; anything else is a model's name as in a
    recipe. Raises CheckpointError for a run or a step without a checkpoint.
    """
    run = run_of(name)
    if run is None:
        return Place(name=name, base=name)
    path = Path(name)
    points = checkpoint_paths(run / CHECKPOINTS)
    if path != run:
        return _at(_named(path, points), run)
    if (path / SUMMARY).exists():
        return Place(name=name, base=str(path / MODEL), run=path)
    if not points:
        raise CheckpointError(
            "this run has neither a final model nor a checkpoint",
            where=name,
            remedy=f"`reasonrl resume {name}` goes on with it",
        )
    return _at(points[-1], run)


def _named(path: Path, points: Sequence[Path]) -> Path:
    """Return the checkpoint that a name means, with or without leading zeros."""
    number = path.name.removeprefix("step-").lstrip("0")
    for point in points:
        if point.name.removeprefix("step-").lstrip("0") == number:
            return point
    raise CheckpointError(
        "no such checkpoint",
        where=str(path),
        expected=f"one of {', '.join(point.name for point in points) or 'none yet'}",
    )


def _at(point: Path, run: Path) -> Place:
    base = load_recipe(run / CONFIG).model.name
    return Place(name=str(point), base=base, run=run, checkpoint=point)


def open_model(place: Place, *, device: str) -> LanguageModel:
    """Load a model; what a checkpoint changed in it `take_over` brings."""
    recipe = place.recipe()
    return load_model(place.base, seed=recipe.seed if recipe else 0, device=device)


def open_tokenizer(place: Place) -> tuple[ChatTokenizer, int]:
    """Load what encodes a model's prompts, and the length of its context: without its weights."""
    return load_tokenizer(place.base)


def take_over(place: Place, engine: LocalEngine) -> None:
    """Give an engine the weights of the checkpoint, if the place is one; not its moments."""
    if place.checkpoint is not None:
        engine.load(checkpoint.load(place.checkpoint).path, with_moments=False)
