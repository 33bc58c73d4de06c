"""Load and check all that a training run needs; nothing is written yet."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from reasonrl.errors import ConfigError
from reasonrl.launch.engines import is_on_cluster, model_for
from reasonrl.launch.extras import require_extras
from reasonrl.launch.footprint import describe_disk, describe_memory, keeps_reference
from reasonrl.launch.judges import make_verifier, require_sandbox
from reasonrl.launch.models import note_backend
from reasonrl.launch.own import Own
from reasonrl.launch.prompts import settle_form
from reasonrl.launch.readable import unreadable_keys
from reasonrl.models.fetch import is_at_hand
from reasonrl.models.hf import LanguageModel, load_tokenizer
from reasonrl.models.routing import balance_factor, chosen_experts
from reasonrl.recipe import Recipe, test_halves
from reasonrl.rollout.pools import Pools, encode_pools, load_problem_lists, sources_of
from reasonrl.run.trackers import Tracker, open_tracker, require_ready
from reasonrl.terminal import Console


def prepare(
    recipe: Recipe, directory: Path, console: Console, own: Own
) -> tuple[Recipe, LanguageModel, Pools]:
    """Return the model and the encoded problems of a run; raise for anything that cannot work.

    The recipe comes back with the time that the chat template prints, if it prints any.
    """
    for name in recipe.trackers:
        require_ready(name)
    require_extras(recipe)
    # A row without an answer is left out like a row whose answer cannot be read.
    drops = any(stage.data.unreadable == "drop" for stage in recipe.stage)
    is_keyed = recipe.has_verifier and not drops
    lists = load_problem_lists(sources_of(recipe), is_keyed=is_keyed, given=own.problems)
    if names := test_halves(source for stage in recipe.stage for source in stage.data.sources):
        console.note(f"training on the TEST half of {', '.join(dict.fromkeys(names))}, as asked")
    dropped = frozenset[str]()
    if own.judge is None:
        with make_verifier(recipe.verify) as verifier:
            require_sandbox(verifier, lists.values())
            if recipe.has_verifier:
                dropped = unreadable_keys(recipe, lists, verifier, console)
    how = "" if is_at_hand(recipe.model.name) else " (fetched and converted once: a minute)"
    console.note(f"loading {recipe.model.name}{how}")
    model = model_for(recipe.engine, recipe.model, seed=recipe.seed)
    note_backend(model, console)
    check_reference(recipe, model)
    check_routers(recipe, model)
    asked, tokenizer = settle_form(recipe.model, model.tokenizer, directory)
    recipe = recipe.model_copy(update={"model": asked})
    model = replace(model, tokenizer=tokenizer)
    pools = encode_pools(recipe, lists, model.tokenizer, model.context, dropped=dropped)
    console.note(describe_memory(model, recipe))
    console.note(describe_disk(model, recipe, directory))
    return recipe, model, pools


def check_reference(recipe: Recipe, model: LanguageModel) -> None:
    """Raise ConfigError for a reference policy whose tokens are not the model's."""
    name = recipe.stage[0].update.reference
    if not name:
        return
    where = f"update.reference = {name}"
    if not keeps_reference(recipe):
        raise ConfigError(
            "no stage uses the reference",
            where=where,
            expected="update.kl_coefficient above 0",
            remedy="set update.kl_coefficient, or remove update.reference",
        )
    if is_on_cluster(recipe.engine):
        # Refuses a reference that ranks cannot share.
        model_for(recipe.engine, recipe.model.model_copy(update={"name": name}), seed=0)
    if load_tokenizer(name)[0].hf.get_vocab() != model.tokenizer.hf.get_vocab():
        raise ConfigError(
            f"its vocabulary is not that of {recipe.model.name}",
            where=where,
            expected="a model with the same tokenizer: the KL term compares token by token",
            remedy="choose another reference",
        )


def check_routers(recipe: Recipe, model: LanguageModel) -> None:
    """Raise ConfigError for a loss of routers that the model does not have."""
    if all(stage.update.router_loss == "off" for stage in recipe.stage):
        return
    config = cast(Any, model.module).config
    if chosen_experts(config) and balance_factor(config):
        return
    raise ConfigError(
        f"{recipe.model.name} has no routers, or its config sets no factor for their loss",
        where='update.router_loss = "model"',
        expected="a mixture of experts with router_aux_loss_coef above 0",
        remedy='set update.router_loss = "off"',
    )


def open_trackers(
    recipe: Recipe, directory: Path, after_step: int, stack: ExitStack
) -> list[Tracker]:
    """Open the recipe's trackers; they close with the stack."""
    config = recipe.model_dump(mode="json")
    return [
        stack.enter_context(
            closing(
                open_tracker(
                    name,
                    run_name=directory.name,
                    directory=directory,
                    config=config,
                    after_step=after_step,
                )
            )
        )
        for name in recipe.trackers
    ]
