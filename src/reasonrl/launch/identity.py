"""Hold an evaluation to what its directory holds: the question, the problems, the weights.

What goes on after an interruption must be the same thing; whatever is not is refused with what
differs. Called by `evaluate`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reasonrl.config import EvalRecipe
from reasonrl.console import Console
from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.eval_options import Request, question
from reasonrl.launch.models import Place
from reasonrl.models.hf import LanguageModel
from reasonrl.pools import ProblemLists, encode_suites
from reasonrl.recipe_file import load_eval_recipe
from reasonrl.record import write_atomic
from reasonrl.results import EvalResults

RECIPE, JOURNAL = "recipe.toml", "journal"


def check_same_recipe(request: Request, directory: Path) -> None:
    """Raise ConfigError where the directory holds an evaluation that asked something else."""
    path = directory / RECIPE
    if not path.exists():
        return
    stored = load_eval_recipe(path)
    asked = _with_tokens(
        request.recipe,
        {
            suite.name: suite.max_new_tokens
            for suite in stored.suite
            if suite.name in request.open_ended
        },
    )
    differing = [
        f"{key} = {_short(one)}, there {_short(other)}"
        for key, one, other in _differences(question(asked), question(stored), "")
    ]
    if differing:
        raise ConfigError(
            f"it holds an evaluation that differs: {'; '.join(differing[:3])}",
            where=str(directory),
            remedy="choose another --out, or ask the same",
        )


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} tables"
    return repr(value)[:60]


def _differences(one: Any, other: Any, at: str) -> list[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [
            found
            for key in keys
            for found in _differences(one.get(key), other.get(key), f"{at}.{key}".lstrip("."))
        ]
    if isinstance(one, tuple | list) and isinstance(other, tuple | list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True), start=1)
        return [found for n, (a, b) in pairs for found in _differences(a, b, f"{at}.{n}")]
    return [] if one == other else [(at, one, other)]


def _with_tokens(recipe: EvalRecipe, limits: dict[str, int]) -> EvalRecipe:
    suites = tuple(
        suite.model_copy(update={"max_new_tokens": limits[suite.name]})
        if suite.name in limits
        else suite
        for suite in recipe.suite
    )
    return recipe.model_copy(update={"suite": suites})


def settled(
    request: Request, lists: ProblemLists, model: LanguageModel, directory: Path, console: Console
) -> EvalRecipe:
    """Give open-ended suites what the context leaves: the stored limit, or what fits now."""
    if (directory / RECIPE).exists():
        stored = load_eval_recipe(directory / RECIPE)
        return stored.model_copy(update={"engine": request.recipe.engine})
    shortest = _with_tokens(request.recipe, dict.fromkeys(request.open_ended, 1))
    limits = {}
    for name, pool in encode_suites(shortest, lists, model.tokenizer, model.context).items():
        if name not in request.open_ended:
            continue
        wanted = next(s.max_new_tokens for s in request.recipe.suite if s.name == name)
        left = model.context - max(len(item.tokens) for item in pool)
        if left < wanted:
            console.note(
                f"suite {name}: {wanted} new tokens do not fit the model's context of "
                f"{model.context}; up to {left}"
            )
        limits[name] = min(wanted, left)
    return _with_tokens(request.recipe, limits)


def check_same_subject(
    results: EvalResults, place: Place, weights: str, suite: str, problems: str, directory: Path
) -> None:
    """Raise where a name stands for other weights, or a suite for other problems, than before."""
    mark = directory / JOURNAL / place.label / "weights"
    known = results.model(place.name)
    before = known.weights if known else mark.read_text().strip() if mark.exists() else ""
    if before and before != weights:
        raise CheckpointError(
            f"{place.name} has other weights than when this evaluation began",
            where=str(directory),
            remedy="choose another --out",
        )
    if results.problems.get(suite, problems) != problems:
        raise CheckpointError(
            f"the problems of {suite} are not those of this evaluation",
            where=str(directory),
            remedy="restore the file, or choose another --out",
        )
    mark.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(mark, weights + "\n")
