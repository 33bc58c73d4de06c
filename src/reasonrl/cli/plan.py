"""The command `reasonrl plan`. Registered by `cli.app`.

Heavy imports happen inside the command, after what was typed has been understood.
"""

from __future__ import annotations

from typing import Annotated

import typer

from reasonrl.cli.arguments import RecipePath
from reasonrl.cli.endings import ExitCode

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one value, e.g. --set engine=gpus-8."),
]
GpuName = Annotated[str, typer.Option("--gpu", help="H800, H100, H200 or A100.")]
Price = Annotated[
    float | None, typer.Option(min=0, help="Price of a GPU-hour; 2.0 is assumed if left out.")
]
AllRows = Annotated[
    bool, typer.Option("--tables", help="Show the report's Tables 7 to 9 beside the formulas'.")
]


def plan(
    recipe: RecipePath,
    overrides: Overrides = None,
    gpu: GpuName = "H800",
    gpu_hour_usd: Price = None,
    tables: AllRows = False,
) -> None:
    """Estimate what a recipe will need: memory, time, GPU-hours. Exits with 1 if it does not fit.

    reasonrl plan or1-7b --set engine=gpus-8
    """
    from reasonrl.planning.calibrated import reproduce_tables
    from reasonrl.planning.gpus import gpu_of
    from reasonrl.planning.plan import plan as make_plan
    from reasonrl.planning.shapes import shape_of
    from reasonrl.recipe.named import recipe_path
    from reasonrl.recipe.toml import load_recipe

    parsed = load_recipe(recipe_path(recipe), overrides or ())
    made = make_plan(parsed, shape_of(parsed.model.name), gpu_of(gpu), gpu_hour_usd=gpu_hour_usd)

    from reasonrl.cli.show.plan import show_errors, show_plan
    from reasonrl.terminal import Console

    console = Console()
    show_plan(console, made)
    if tables or not made.untimed:
        show_errors(console, reproduce_tables(), all_rows=tables)
    if not made.fits:
        raise typer.Exit(ExitCode.NO)
