"""The command `reasonrl plan`. Registered by `cli.app`.

Heavy imports happen inside the command, after what was typed has been understood.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reasonrl.cli.arguments import RecipePath
from reasonrl.cli.endings import ExitCode

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one value, e.g. --set engine=gpus-8."),
]
GpuName = Annotated[
    str | None,
    typer.Option(
        "--gpu", help="Name of the GPUs, e.g. 4090, L4 or A100-40. Default: H800, the report's."
    ),
]
GpuMemory = Annotated[
    float | None,
    typer.Option(
        "--gpu-memory",
        min=1,
        max=10_000,
        metavar="GB",
        help="Memory of a GPU, as nvidia-smi reports it (MiB / 1024). Without --gpu no time.",
    ),
]
Price = Annotated[
    float | None, typer.Option(min=0, help="Price of a GPU-hour; 2.0 is assumed if left out.")
]
WriteTo = Annotated[
    Path | None,
    typer.Option(
        "--write",
        metavar="OUT.toml",
        help="Write a recipe that extends this one with the settings that fit.",
    ),
]
AllRows = Annotated[
    bool, typer.Option("--tables", help="Show the report's Tables 7 to 9 beside the formulas'.")
]


def plan(
    recipe: RecipePath,
    overrides: Overrides = None,
    gpu: GpuName = None,
    gpu_memory: GpuMemory = None,
    gpu_hour_usd: Price = None,
    write: WriteTo = None,
    tables: AllRows = False,
) -> None:
    """Estimate what a recipe will need: memory, time, GPU-hours. Exits with 1 if it does not fit.

    reasonrl plan or1-7b --set engine=gpus-8

    reasonrl plan my.toml --gpu 4090 --write fitted.toml
    """
    from reasonrl.launch.fitted import check_target, write_fitted
    from reasonrl.launch.shapes import shape_of_model
    from reasonrl.planning.calibrated import reproduce_tables
    from reasonrl.planning.gpus import find_gpu
    from reasonrl.planning.plan import plan as make_plan
    from reasonrl.recipe.named import recipe_path
    from reasonrl.recipe.toml import load_recipe

    if write is not None:
        check_target(write)
    path, changes = recipe_path(recipe), overrides or []
    parsed = load_recipe(path, changes)
    named = find_gpu(gpu, gpu_memory)
    made = make_plan(parsed, shape_of_model(parsed.model.name), named, gpu_hour_usd=gpu_hour_usd)

    from reasonrl.cli.show.plan import show_errors, show_plan
    from reasonrl.terminal import Console

    console = Console()
    show_plan(console, made)
    if made.gpu is None and (gpu or gpu_memory):
        console.note(
            f'engine.device = "cpu": {named.label()} is not used; pass --set engine.device=cuda'
        )
    if tables or not made.untimed:
        show_errors(console, reproduce_tables(), all_rows=tables)
    if write is not None:
        write_fitted(write, path, changes, made)
        console.note(f"wrote {write}; train with `reasonrl train {write}`")
    elif not made.fits:
        raise typer.Exit(ExitCode.NO)
