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
from reasonrl.errors import ConfigError
from reasonrl.launch.models import Place, open_tokenizer
from reasonrl.launch.request import REPORT_TOKENS, Request, question
from reasonrl.recipe import EvalRecipe
from reasonrl.recipe.toml import dump_recipe, load_eval_recipe
from reasonrl.rollout.pools import ProblemLists, SuitePools, encode_suites
from reasonrl.run.layout import LOCK
from reasonrl.terminal import Console

RECIPE = "recipe.toml"


def settle_protocol(
    request: Request,
    places: Sequence[Place],
    lists: ProblemLists,
    directory: Path,
    console: Console,
) -> tuple[EvalRecipe, dict[str, SuitePools]]:
    """Return the recipe that all models are asked, kept in the directory, and each one's prompts.

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
    limits = dict.fromkeys(request.open_ended, 1)
    if stored is not None:
        limits = {s.name: s.max_new_tokens for s in stored.suite if s.name in request.open_ended}
        for name, limit in limits.items():
            if limit < REPORT_TOKENS:
                console.note(f"suite {name}: up to {limit} new tokens, as {directory} has it")
        _check_same(_with_tokens(request.recipe, limits), stored, directory)
    recipe = _with_tokens(request.recipe, limits)
    pools, room = {}, dict.fromkeys(request.open_ended, REPORT_TOKENS)
    for place in places:
        tokenizer, context = open_tokenizer(place)
        pools[place.name] = encode_suites(recipe, lists, tokenizer, context)
        if stored is None:
            _narrow(room, pools[place.name], place, context, console)
    if stored is None:
        recipe = _with_tokens(recipe, room)
        write_atomic(path, dump_recipe(recipe))
    return recipe, pools


def _narrow(
    room: dict[str, int], pools: SuitePools, place: Place, context: int, console: Console
) -> None:
    """Lower the limits of open-ended suites to what a model's context leaves, and say so."""
    for name in room:
        left = context - max(len(item.tokens) for item in pools[name])
        if left < room[name]:
            room[name] = left
            console.note(
                f"suite {name}: {REPORT_TOKENS} new tokens do not fit the context of "
                f"{place.name}, {context}; up to {left}"
            )


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
