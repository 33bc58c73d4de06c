"""A user's own advantage function, loaded once and checked at each call."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from reasonrl.algo.select import AdvantageFunction
from reasonrl.errors import ConfigError, VerifierError
from reasonrl.recipe import Recipe
from reasonrl.run.copies import keep_copy, own_copy

Note = Callable[[str], None]


def load_advantages(recipe: Recipe, run: Path, note: Note) -> dict[str, AdvantageFunction]:
    """Return the functions that stages name, by `update.advantage`.

    The run's copy of a file is used where it has one. Raises ConfigError for a function that cannot
    be loaded.
    """
    updates = [stage.update for stage in recipe.stage]
    names = {update.advantage for update in updates if update.has_own_advantage}
    return {name: _load(name, run, note) for name in sorted(names)}


def keep_advantages(recipe: Recipe, run: Path) -> None:
    """Copy the files of advantage functions into a run."""
    for stage in recipe.stage:
        if stage.update.has_own_advantage:
            keep_copy(Path(stage.update.advantage.rpartition(":")[0]), run)


def _load(name: str, run: Path, note: Note) -> AdvantageFunction:
    path, _, attribute = name.rpartition(":")
    original = Path(path)
    file = own_copy(original, run)
    if file != original and original.exists() and original.read_bytes() != file.read_bytes():
        note(f"{original} has changed since the run began, which goes on with its own copy {file}")
    where = f"update.advantage = {name}"
    try:
        spec = importlib.util.spec_from_file_location(f"_advantage_{file.stem}", file)
        if spec is None or spec.loader is None:
            raise ImportError("no Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function = getattr(module, attribute)
    except Exception as error:
        raise ConfigError(
            f"cannot be loaded: {type(error).__name__}: {error}",
            where=where,
            expected="FILE.py:NAME beside the recipe, of a function (rewards, truncated) -> list",
            remedy="correct the file or the name",
        ) from error
    if not callable(function):
        raise ConfigError(f"{attribute} is no function", where=where, expected="FILE.py:NAME")
    return _checked(function, where)


def _checked(function: Callable[..., object], where: str) -> AdvantageFunction:
    """Return the function with its result checked: one finite number for each rollout."""

    def advantages(rewards: Sequence[float], truncated: Sequence[bool]) -> list[float]:
        try:
            given = function(list(rewards), list(truncated))
            values = [float(value) for value in given]  # type: ignore[attr-defined]
        except Exception as error:
            raise VerifierError(
                f"the advantage function fails: {type(error).__name__}: {error}",
                where=where,
                remedy="mend the copy in the run's code/, then rerun `reasonrl resume`",
            ) from error
        if len(values) != len(rewards) or not all(map(math.isfinite, values)):
            raise VerifierError(
                f"the advantage function returned {values!r:.100} for {len(rewards)} rollouts",
                where=where,
                expected="one finite number for each rollout",
                remedy="mend the copy in the run's code/, then rerun `reasonrl resume`",
            )
        return values

    return advantages
