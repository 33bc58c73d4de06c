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
from reasonrl.run.layout import CHECKPOINTS, START, checkpoint_paths, step_of
from reasonrl.terminal import Console


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
    model = open_model(named, device="cpu")
    with local_engine(model, LocalEngineConfig(), OptimizerConfig()) as engine:
        take_over(named, engine)
        directory.mkdir(parents=True, exist_ok=True)
        model.save_weights(start, engine.weights().tensors)
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"name": str(start)})})


@contextmanager
def naming_last_good(directory: Path, state: TrainState) -> Iterator[None]:
    """Add to a NotFiniteError the step, the usual cause, and the last checkpoint before it.

    A checkpoint of the step itself may hold the weights that are at fault; an earlier checkpoint is
    finite, because no other is written.
    """
    try:
        yield
    except NotFiniteError as error:
        steps = map(step_of, checkpoint_paths(directory / CHECKPOINTS))
        good = [step for step in steps if step < state.step]
        branch = (
            "branch from the newest checkpoint before it: "
            f"`reasonrl train RECIPE --from {directory}@{good[-1]}`"
            if good
            else "train again: no checkpoint is older than the fault"
        )
        raise NotFiniteError(
            error.what,
            where=f"{directory}, step {state.step + 1}",
            expected="finite numbers; a learning rate that is too high is the usual cause",
            remedy=f"lower update.learning_rate and {branch}",
        ) from error
