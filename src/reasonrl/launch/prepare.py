"""Load and check all that a training run needs; nothing is written yet."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from reasonrl.errors import ConfigError
from reasonrl.launch.engines import model_for, ranks_of
from reasonrl.launch.extras import require_extras
from reasonrl.launch.judges import make_verifier, require_sandbox
from reasonrl.launch.own import Own
from reasonrl.launch.prompts import settle_form
from reasonrl.launch.readable import unreadable_keys
from reasonrl.launch.shapes import shape_of_loaded
from reasonrl.models.fetch import is_at_hand
from reasonrl.models.hf import LanguageModel, load_tokenizer
from reasonrl.planning.layout import training_of
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
    model = model_for(recipe.engine, recipe.model.name, seed=recipe.seed)
    check_reference(recipe, model)
    asked, tokenizer = settle_form(recipe.model, model.tokenizer, directory)
    recipe = recipe.model_copy(update={"model": asked})
    model = replace(model, tokenizer=tokenizer)
    pools = encode_pools(recipe, lists, model.tokenizer, model.context, dropped=dropped)
    console.note(_describe_memory(model, recipe))
    console.note(_describe_disk(model, recipe, directory))
    return recipe, model, pools


def keeps_reference(recipe: Recipe) -> bool:
    """Return whether any stage measures its distance from the starting policy."""
    return any(stage.update.kl_coefficient > 0 for stage in recipe.stage)


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
    if load_tokenizer(name)[0].hf.get_vocab() != model.tokenizer.hf.get_vocab():
        raise ConfigError(
            f"its vocabulary is not that of {recipe.model.name}",
            where=where,
            expected="a model with the same tokenizer: the KL term compares token by token",
            remedy="choose another reference",
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


def _describe_memory(model: LanguageModel, recipe: Recipe) -> str:
    """Return one line on what the state needs; activations and the sampler's cache come on top."""
    shape, state = shape_of_loaded(model), training_of(recipe)
    ranks = ranks_of(recipe.engine)
    size = state.weights(shape) + state.gradients(shape) + state.moments(shape)
    if keeps_reference(recipe):
        size += state.reference(shape, 4)
    parts = [f"{shape.parameters / 1e6:.1f}M parameters"]
    if recipe.model.lora is not None:
        parts.append(f"of which none learns; {state.trained(shape) / 1e6:.2f}M in adapters do")
    parts.append(f"training state {size / 1e9:.2f} GB" + (f" over {ranks} ranks" * (ranks > 1)))
    if host := state.on_host(shape):
        parts.append(f"and {host / 1e9:.2f} GB in the host's memory")
    return ", ".join(parts)


def _describe_disk(model: LanguageModel, recipe: Recipe, directory: Path) -> str:
    """Return one line on what checkpoints and the final model will take, and what is free.

    A checkpoint has the float32 weights that learn and two moments, and a new one is written before
    an old one goes. Rollouts come on top.
    """
    shape, state = shape_of_loaded(model), training_of(recipe)
    point = 4 * state.trained(shape) + state.moments(shape) + state.on_host(shape)
    points = recipe.checkpoint.keep + 1 + bool(recipe.checkpoint.best)
    whole = points * point + 4 * shape.parameters
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    warning = "" if free > whole else ": TOO LITTLE; lower checkpoint.keep, or free space"
    return (
        f"disk: up to {whole / 1e9:.2f} GB ({points} checkpoints of {point / 1e9:.2f} GB and the "
        f"model), {free / 1e9:.0f} GB free{warning}"
    )
