"""The commands `reasonrl data ...`. Registered by `cli.app`.

Heavy imports happen inside the commands, after what was typed has been understood.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reasonrl.cli.endings import ExitCode, continuable

data_app = typer.Typer(
    help="From raw problems to a training set with a card.", no_args_is_help=True
)

RecipePath = Annotated[
    str,
    typer.Argument(
        help="A data recipe file, or the name of a shipped one, e.g. gsm8k.", metavar="RECIPE"
    ),
]
Built = Annotated[Path, typer.Argument(help="Directory of a build.", metavar="DIR")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Change one value, e.g. --set dedup.near=0.8.")
]
Out = Annotated[Path | None, typer.Option(help="Directory of the build. Default: datasets/NAME.")]


@data_app.command("build")
def build(recipe: RecipePath, overrides: Overrides = None, out: Out = None) -> None:
    """Make a training set from raw sources. Rerun the command to continue a stopped build."""
    from reasonrl.curation.recipe import DataRecipe
    from reasonrl.errors import ConfigError
    from reasonrl.recipe.named import recipe_path
    from reasonrl.recipe.tables import anchor_paths, apply_override, read_tables
    from reasonrl.recipe.toml import parse

    path = recipe_path(recipe)
    tables = read_tables(path)
    for override in overrides or ():
        apply_override(tables, override)
    anchor_paths(tables, Path.cwd())
    if "source" not in tables and {"stage", "suite"} & tables.keys():
        command = "train RECIPE" if "stage" in tables else "eval MODEL --recipe RECIPE"
        raise ConfigError(
            "this recipe makes no training set",
            where=path.name,
            expected="a recipe with [[source]] tables",
            remedy=f"use it with `reasonrl {command}`",
        )
    parsed = parse(DataRecipe, tables, where=path.name)
    directory = out or Path("datasets") / parsed.name

    from reasonrl.launch.curate import curate
    from reasonrl.reward.endpoint import BudgetSpent
    from reasonrl.terminal import Console

    console = Console()
    try:
        with continuable():
            manifest = curate(parsed, directory, console)
    except BudgetSpent:
        typer.echo("quality.budget is spent; rerun the same command to spend it again", err=True)
        raise typer.Exit(ExitCode.MENDABLE) from None
    if not manifest.files:
        typer.echo(f"no row is left; run `reasonrl data show {directory}` to see why", err=True)
        raise typer.Exit(ExitCode.NO)
    for file in manifest.files:
        console.note(f"{file.rows:,} rows in {directory}/data/{file.file}")
    console.note(f"done: {directory}/card.html, {directory}/manifest.json ({manifest.hash[:16]})")


@data_app.command("show")
def show(
    directory: Built,
    uid: Annotated[
        str | None, typer.Argument(help="Show one problem, by its uid.", metavar="[UID]")
    ] = None,
    step: Annotated[str | None, typer.Option(help="Show rows that this step dropped.")] = None,
    reason: Annotated[str | None, typer.Option(help="Show rows dropped for this reason.")] = None,
    source: Annotated[str | None, typer.Option(help="Show rows of this data_source.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many rows.")] = 20,
) -> None:
    """Show a build's funnel, one problem with its duplicates, or dropped rows with reasons."""
    from reasonrl.cli.show.data import show_dropped, show_fate, show_funnel
    from reasonrl.curation.lookup import dropped_rows, fate_of, finished_counts
    from reasonrl.terminal import Console

    console = Console()
    if uid is not None:
        show_fate(console, fate_of(directory, uid))
    elif step or reason or source:
        rows = dropped_rows(directory, step=step, reason=reason, source=source, limit=limit)
        show_dropped(console, rows)
    else:
        show_funnel(console, finished_counts(directory))


@data_app.command("check")
def check(
    target: Annotated[
        str,
        typer.Argument(help="A file or a folder of problems, or a recipe.", metavar="FILE|RECIPE"),
    ],
    fields: Annotated[
        str, typer.Option(help="Columns of the rows, e.g. prompt=question,answer=answer.")
    ] = "",
    answer_after: Annotated[
        str,
        typer.Option(
            help='The answer is the text behind the last one of this, e.g. "####"; '
            "\\boxed takes the last box."
        ),
    ] = "",
    prompt_template: Annotated[
        Path | None, typer.Option(help="A text file with the prompt, and columns in braces.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Show prompts as this model's chat template makes them, with tokens."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one object for each refused row.")
    ] = False,
) -> None:
    """Show what would train: some prompts and answers, and the rows that are refused.

    Exits with 1 if any row is refused.
    """
    from reasonrl.cli.show.data import show_keys
    from reasonrl.launch.check_keys import Reading, check_keys
    from reasonrl.terminal import Console

    reading = Reading(
        fields=_named_fields(fields),
        answer_after=answer_after,
        prompt_template=prompt_template,
    )
    report = check_keys(target, reading, model=model)
    show_keys(Console(), report, as_json=as_json)
    if report.refused:
        raise typer.Exit(ExitCode.NO)


def _named_fields(text: str) -> dict[str, str]:
    """Return `{"prompt": "question"}` for `prompt=question`."""
    from reasonrl.data.forms import FIELDS

    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not equals or key.strip() not in FIELDS for key, equals, _ in pairs):
        raise typer.BadParameter(
            f"write KEY=NAME pairs with KEY one of {', '.join(FIELDS)}", param_hint="--fields"
        )
    return {key.strip(): name.strip() for key, _, name in pairs}


@data_app.command("card")
def card(directory: Built) -> None:
    """Write the data card of a finished build again: README.md, funnel.svg, card.html."""
    from reasonrl.launch.curate import write_card

    write_card(directory)
    typer.echo(f"done: {directory}/README.md, {directory}/card.html")


@data_app.command("sheet")
def sheet(
    directory: Built,
    n: Annotated[int, typer.Option(min=1, help="Problems on the sheet.")] = 300,
) -> None:
    """Draw problems for people to read: sheet.html, and sheet.csv for their answers."""
    from reasonrl.launch.curate import write_sheet

    drawn = write_sheet(directory, n)
    typer.echo(f"done: {drawn} problems in {directory}/sheet.html; fill {directory}/sheet.csv,")
    typer.echo(f"then run `reasonrl data card {directory}` to count the answers")
