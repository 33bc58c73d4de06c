"""The commands `reasonrl data ...`. Registered by `cli`, which says the rest.

Heavy imports happen inside the commands, after what was typed has been understood.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reasonrl.errors import StorageError

data_app = typer.Typer(
    help="From raw problems to a training set with a card.", no_args_is_help=True
)

RecipePath = Annotated[
    Path,
    typer.Argument(help="A data recipe in TOML, e.g. recipes/data/or1.toml.", metavar="RECIPE"),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Change one value, e.g. --set dedup.near=0.8.")
]
Out = Annotated[Path | None, typer.Option(help="Where it is built; datasets/NAME if left out.")]


@data_app.command("build")
def build(recipe: RecipePath, overrides: Overrides = None, out: Out = None) -> None:
    """Read, clean, compare with solutions, deduplicate, decontaminate and publish; resumable."""
    from reasonrl.curation.recipe import DataRecipe
    from reasonrl.recipe_file import anchor_paths, apply_override, parse, read_tables

    tables = read_tables(recipe)
    for override in overrides or ():
        apply_override(tables, override)
    anchor_paths(tables, Path.cwd())
    parsed = parse(DataRecipe, tables, where=recipe.name)
    directory = out or Path("datasets") / parsed.name

    from reasonrl.console import Console
    from reasonrl.launch.curate import curate

    console = Console()
    try:
        manifest = curate(parsed, directory, console)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here")
        raise typer.Exit(130) from None
    except (StorageError, OSError):
        typer.echo("once what follows is mended, the same command goes on from here", err=True)
        raise
    for file in manifest.files:
        console.note(f"{file.rows:,} rows in {directory}/data/{file.file}")
    console.note(f"done: {directory}/manifest.json, hash {manifest.hash[:16]}")
