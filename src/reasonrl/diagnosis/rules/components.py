"""What a recipe's reward is made of, as rules ask for it."""

from __future__ import annotations

from reasonrl.recipe import Recipe


def heaviest(recipe: Recipe) -> tuple[int, str, float] | None:
    """Return number, name and weight of the heaviest component beside the verifier."""
    others = [
        (abs(one.weight), number)
        for number, one in enumerate(recipe.reward, start=1)
        if one.type != "verifier" and one.weight
    ]
    if not others:
        return None
    number = max(others)[1]
    component = recipe.reward[number - 1]
    return number, component.label, component.weight


def silent_verifier(recipe: Recipe) -> str:
    """Return the key of the weight of a verifier that is only recorded, empty without one."""
    keys = (
        f"reward.{number}.weight"
        for number, one in enumerate(recipe.reward, start=1)
        if one.type == "verifier" and not one.weight
    )
    return next(keys, "")
