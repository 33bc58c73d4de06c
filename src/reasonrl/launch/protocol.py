"""Settle what is asked, once for a directory: the recipe with every limit of tokens as a number.

A directory that holds an evaluation already is held to its question; whatever differs is named.
Everything that cannot work for one of the models is found before the first sample. Called by
`evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasonrl.atomic import write_atomic
from reasonrl.config import EvalRecipe
from reasonrl.console import Console
from reasonrl.errors import ConfigError
from reasonrl.evaluation.options import REPORT_TOKENS, Request, question
from reasonrl.launch.models import Place, open_tokenizer
from reasonrl.launch.process import LOCK
from reasonrl.pools import ProblemLists, encode_suites
from reasonrl.recipe_file import dump_recipe, load_eval_recipe

RECIPE = "recipe.toml"


def settle_protocol(
    request: Request,
    places: Sequence[Place],
    lists: ProblemLists,
    directory: Path,
    console: Console,
) -> EvalRecipe:
    """Return the recipe that all models are asked, and keep it in the directory.

    An open-ended suite gets the limit that the directory has for it, or the longest that the
    report's and every model's context allow. Raises ConfigError where the directory asked something
    else, or where a prompt and a completion do not fit one of the models.
    """
    path = directory / RECIPE
    stored = load_eval_recipe(path) if path.exists() else None
    if stored is None and any(one.name != LOCK for one in directory.iterdir()):
        raise ConfigError(
            "the directory holds something else than an evaluation",
            where=str(directory),
            remedy="choose another --out",
        )
    if stored is None:
        limits = _fitting_limits(request, places, lists, console)
    else:
        limits = {s.name: s.max_new_tokens for s in stored.suite if s.name in request.open_ended}
        for name, limit in limits.items():
            if limit < REPORT_TOKENS:
                console.note(f"suite {name}: up to {limit} new tokens, as {directory} has it")
    recipe = _with_tokens(request.recipe, limits)
    if stored is not None:
        _check_same(recipe, stored, directory)
    for place in places:
        tokenizer, context = open_tokenizer(place)
        encode_suites(recipe, lists, tokenizer, context)
    if stored is None:
        write_atomic(path, dump_recipe(recipe))
    return recipe


def _fitting_limits(
    request: Request, places: Sequence[Place], lists: ProblemLists, console: Console
) -> dict[str, int]:
    """Return the longest completions of open-ended suites that every model has room for."""
    limits = dict.fromkeys(request.open_ended, REPORT_TOKENS)
    if not limits:
        return limits
    shortest = _with_tokens(request.recipe, dict.fromkeys(request.open_ended, 1))
    for place in places:
        tokenizer, context = open_tokenizer(place)
        for name, pool in encode_suites(shortest, lists, tokenizer, context).items():
            left = context - max(len(item.tokens) for item in pool)
            if name in limits and left < limits[name]:
                limits[name] = left
                console.note(
                    f"suite {name}: {REPORT_TOKENS} new tokens do not fit the context of "
                    f"{place.name}, {context}; up to {left}"
                )
    return limits


def _with_tokens(recipe: EvalRecipe, limits: Mapping[str, int]) -> EvalRecipe:
    suites = tuple(
        suite.model_copy(update={"max_new_tokens": limits[suite.name]})
        if suite.name in limits
        else suite
        for suite in recipe.suite
    )
    return recipe.model_copy(update={"suite": suites})


def _check_same(asked: EvalRecipe, stored: EvalRecipe, directory: Path) -> None:
    """Raise ConfigError where the directory holds an evaluation that asked something else."""
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
