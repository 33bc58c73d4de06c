"""Settle the question of an evaluation, once for a directory: the recipe with every token limit.

A directory that holds an evaluation keeps its question; an error names every difference. Anything
that cannot work for one of the models is found before the first sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.errors import ConfigError
from reasonrl.launch.models import NamedModel, open_tokenizer
from reasonrl.launch.precision import with_precision
from reasonrl.launch.prompts import settle_form
from reasonrl.launch.request import REPORT_TOKENS, EvalRequest, question
from reasonrl.recipe import EvalRecipe
from reasonrl.recipe.tables import differences, short
from reasonrl.recipe.toml import dump_recipe, load_eval_recipe
from reasonrl.rollout.pools import ProblemLists, SuitePools, encode_suites
from reasonrl.run.layout import LOCK
from reasonrl.terminal import Console

RECIPE = "recipe.toml"


def settle_protocol(
    request: EvalRequest,
    models: Sequence[NamedModel],
    lists: ProblemLists,
    directory: Path,
    console: Console,
) -> tuple[EvalRecipe, dict[str, SuitePools]]:
    """Return the recipe for all models, which the directory keeps, and each model's prompts.

    An open-ended suite gets the limit that the directory has for it, or the longest that the
    report's and every model's context allow. Raises ConfigError where the directory asked something
    else, or where a prompt and a completion do not fit one of the models.
    """
    path = directory / RECIPE
    stored = load_eval_recipe(path) if path.exists() else None
    if stored is None and any(path.name != LOCK for path in directory.iterdir()):
        raise ConfigError(
            "the directory holds files, but no evaluation",
            where=str(directory),
            remedy="pass another --out",
        )
    asked = _with_precision(request.recipe, stored, console)
    limits = dict.fromkeys(request.open_ended, 1)
    if stored is not None:
        limits = {s.name: s.max_new_tokens for s in stored.suite if s.name in request.open_ended}
        for name, limit in limits.items():
            if limit < REPORT_TOKENS:
                console.note(f"suite {name}: up to {limit} new tokens, as in {directory}")
        if asked.chat_time is None:
            asked = asked.model_copy(update={"chat_time": stored.chat_time})
        _check_same(_with_tokens(asked, limits), stored, directory)
    recipe = _with_tokens(asked, limits)
    pools, room = {}, dict.fromkeys(request.open_ended, REPORT_TOKENS)
    for model in models:
        tokenizer, context = open_tokenizer(model)
        recipe, tokenizer = settle_form(recipe, tokenizer, model.run)
        pools[model.name] = encode_suites(recipe, lists, tokenizer, context)
        if stored is None:
            _narrow(room, pools[model.name], model, context, console)
    if stored is None:
        recipe = _with_tokens(recipe, room)
        write_atomic(path, dump_recipe(recipe))
    return recipe, pools


def _with_precision(asked: EvalRecipe, stored: EvalRecipe | None, console: Console) -> EvalRecipe:
    """Return what is asked with a settled `engine.compute`: as the directory has it, if it does."""
    if stored is not None and asked.engine.compute == "auto":
        engine = asked.engine.computing_in(stored.engine.compute)
        asked = asked.model_copy(update={"engine": engine})
    return with_precision(asked, console.note)


def _narrow(
    room: dict[str, int], pools: SuitePools, model: NamedModel, context: int, console: Console
) -> None:
    """Lower the limits of open-ended suites to what a model's context leaves, and say so."""
    for name in room:
        left = context - max(len(item.tokens) for item in pools[name])
        if left < room[name]:
            room[name] = left
            console.note(
                f"suite {name}: {REPORT_TOKENS} new tokens do not fit the context of "
                f"{model.name}, {context}; evaluating with up to {left}"
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
        f"{key} = {short(ours)}, there {short(theirs)}"
        for key, ours, theirs in differences(question(asked), question(stored))
    ]
    if differing:
        raise ConfigError(
            f"the directory holds an evaluation of another question: {'; '.join(differing[:3])}",
            where=str(directory),
            remedy="pass another --out, or ask the same question",
        )
