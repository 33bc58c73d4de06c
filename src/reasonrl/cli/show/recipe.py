"""Show the derived numbers of a recipe."""

from __future__ import annotations

from reasonrl.recipe import RayEngineConfig, Recipe
from reasonrl.terminal import Console


def show_recipe(console: Console, recipe: Recipe) -> None:
    """Print the derived numbers of a recipe, a line for each stage."""
    model = recipe.model.name
    console.note(f"{recipe.name}: {model}, seed {recipe.seed}, {len(recipe.stage)} stages")
    for stage in recipe.stage:
        rollout, update = stage.rollout, stage.update
        n_rollouts = rollout.prompts_per_step * rollout.group_size
        n_sgd = update.minibatches * update.reuse
        console.note(
            f"  {stage.name}: {stage.steps} steps of {rollout.prompts_per_step} problems x "
            f"{rollout.group_size} = {n_rollouts} rollouts, up to {rollout.max_new_tokens} new "
            f"tokens ({n_rollouts * rollout.max_new_tokens:,} a step) at temperature "
            f"{rollout.temperature:g}; {n_sgd} update{'s' if n_sgd > 1 else ''} a step "
            f"({'off' if n_sgd > 1 else 'on'}-policy), learning rate {update.learning_rate:g}, "
            f"entropy {stage.entropy.mode} target {stage.entropy.target_nats:g}"
        )
    if isinstance(recipe.engine, RayEngineConfig):
        console.note(f"  on a cluster: {_layout(recipe, recipe.engine)}")


def _layout(recipe: Recipe, engine: RayEngineConfig) -> str:
    rollout, learner = engine.rollout, engine.learner
    device = "CPUs" if engine.device == "cpu" else f"{engine.gpus} GPUs"
    parts = [
        f"{rollout.replicas} {rollout.type} replicas, tensor parallel {rollout.tensor_parallel}",
        f"{learner.ranks} FSDP2 ranks, {learner.sequence_parallel} to a row",
        f"{engine.placement} {device}",
    ]
    if recipe.ahead is not None:
        parts.append(f"sampling at most {recipe.ahead.staleness} steps ahead")
    return "; ".join(parts)
