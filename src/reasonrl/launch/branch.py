"""Branches: a run that begins with another run's weights, and where to branch a bad run from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reasonrl.errors import ConfigError, NotFiniteError
from reasonrl.launch.models import find_model, open_model, take_over
from reasonrl.launch.one_process import local_engine
from reasonrl.loop.state import TrainState
from reasonrl.recipe import LocalEngineConfig, OptimizerConfig, Recipe
from reasonrl.run.layout import CHECKPOINTS, CONFIG, START, checkpoint_paths, step_of
from reasonrl.run.record import RunRecorder
from reasonrl.terminal import Console

_LOWER = 10
"""The advice divides a learning rate that is too high by this."""


def start_from(name: str, recipe: Recipe, directory: Path, console: Console) -> Recipe:
    """Copy the weights of RUN or RUN@STEP into a new run; return the recipe that starts from them.

    The copy stays in the new run, which can be resumed after the other run's checkpoints are gone.
    Optimizer and entropy control begin anew. Raises ConfigError when `name` is not a run's.
    """
    named = find_model(name, where=f"--from {name}")
    if named.run is None:
        raise ConfigError(
            "no run here",
            where=f"--from {name}",
            expected="the directory of a run, or RUN@STEP",
            remedy="set model.name to start from a model that is not a run's",
        )
    start = (directory / START).resolve()
    console.note(f"copying the weights of {named.name} to {start}")
    model = open_model(named)
    with local_engine(model, LocalEngineConfig(), OptimizerConfig()) as engine:
        take_over(named, engine)
        directory.mkdir(parents=True, exist_ok=True)
        model.save_weights(start, engine.weights().tensors)
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"name": str(start)})})


@contextmanager
def naming_last_good(directory: Path, recipe: Recipe, state: TrainState) -> Iterator[None]:
    """Add to a NotFiniteError the step, the usual cause, and the command that goes on before it."""
    try:
        yield
    except NotFiniteError as error:
        raise NotFiniteError(
            error.what,
            where=f"{directory}, step {state.step + 1}",
            expected="finite numbers; a learning rate that is too high is the usual cause",
            remedy=_way_on(directory, recipe),
        ) from error


def _way_on(directory: Path, recipe: Recipe) -> str:
    """Return the command that begins again before the update that is likely at fault: the last.

    Every checkpoint is finite, because no other is written. Weights may be absurd and finite, so
    the fault may lie further back: the earlier checkpoints are named too.
    """
    updates = [row for row in RunRecorder(directory).metrics() if row.get("update/n")]
    steps = map(step_of, checkpoint_paths(directory / CHECKPOINTS))
    good = [step for step in steps if updates and step < int(str(updates[-1]["step"]))]
    names = [stage.name for stage in recipe.stage]
    number = names.index(str(updates[-1]["stage"])) if updates else 0
    rate = recipe.stage[number].update.learning_rate / _LOWER
    way = "branch from the newest checkpoint before the last update"
    if not good:
        way = "train again, for no checkpoint is older than the last update"
    origin = f" --from {directory}@{good[-1]}" if good else ""
    command = (
        f"reasonrl train {directory / CONFIG}{origin} "
        f"--set stage.{number + 1}.update.learning_rate={rate:g}"
    )
    advice = f"{way}, with a lower rate: `{command}`"
    if good[:-1]:
        earlier = ", ".join(map(str, good[:-1]))
        advice += f"; if entropy is not what it was there, take an earlier step: {earlier}"
    return advice
