"""The commands `reasonrl eval` and `reasonrl export`. Registered by `cli`, which says the rest.

Heavy imports happen inside the commands, after what was typed has been understood.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.errors import ConfigError, EngineError, StorageError, VerifierError

if TYPE_CHECKING:
    from reasonrl.launch.request import EvalOptions

Model = Annotated[
    str | None,
    typer.Argument(
        help="A model, a run, or RUN/checkpoints/step-N; left out with --table alone.",
        metavar="MODEL",
    ),
]
Suites = Annotated[
    list[str] | None,
    typer.Option(
        help="aime24, aime25, math500, gsm8k, humaneval, mbpp, livecodebench, a file of "
        "problems, or a suite of the recipe; repeatable."
    ),
]
EvalRecipePath = Annotated[
    str | None,
    typer.Option(
        help="A recipe file, or the name of a shipped recipe, e.g. eval-or1; "
        "all of its suites, or those that --suite names."
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(help="Samples of each problem; 32 for AIME and else 4, or the recipe's."),
]
Temperature = Annotated[float | None, typer.Option(help="1 if left out; 0 is greedy.")]
MaxNewTokens = Annotated[
    int | None, typer.Option(help="32,768 if left out, or what the context leaves.")
]
Limit = Annotated[
    int | None, typer.Option(help="Evaluate on so many problems, always the same ones.")
]
Other = Annotated[
    str | None, typer.Option(help="Another model: how much better is MODEL?", metavar="OTHER")
]
Data = Annotated[Path | None, typer.Option(help="Where benchmark files lie; the hub if left out.")]
Style = Annotated[
    str | None,
    typer.Option(help="Ask for a boxed answer as the report does (report), or: instruction, bare."),
]
SystemPrompt = Annotated[str | None, typer.Option(help="A system turn before each.")]
Unboxed = Annotated[bool, typer.Option(help="Accept a final number without a box.")]
Seed = Annotated[int | None, typer.Option(help="Of the samples.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Change one value, e.g. --set engine.threads=1.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="Where results are kept; below evals, named after what is asked."),
]
AsTable = Annotated[
    bool,
    typer.Option(
        "--table", help="Show these results, or all below evals, beside the report's Table 13."
    ),
]
Address = Annotated[
    str | None, typer.Option(help="A Ray cluster's; for a recipe that samples on one.")
]
Run = Annotated[str, typer.Argument(help="A run, or RUN/checkpoints/step-N.", metavar="RUN")]
NewDirectory = Annotated[Path, typer.Argument(help="A new directory.", metavar="DIR")]
License = Annotated[
    str, typer.Option("--license", help="Of the model; the base model's if it is known.")
]
Evaluations = Annotated[
    list[Path] | None,
    typer.Option("--eval", help="Results of `reasonrl eval` to show in the card; repeatable."),
]


def evaluate(
    model: Model = None,
    suite: Suites = None,
    recipe: EvalRecipePath = None,
    k: Samples = None,
    temperature: Temperature = None,
    max_new_tokens: MaxNewTokens = None,
    limit: Limit = None,
    compare: Other = None,
    data: Data = None,
    style: Style = None,
    system_prompt: SystemPrompt = None,
    unboxed: Unboxed = False,
    seed: Seed = None,
    overrides: Overrides = None,
    out: Out = None,
    table: AsTable = False,
    address: Address = None,
) -> None:
    """Evaluate a model with error bars; goes on where it was stopped.

    reasonrl eval MODEL --suite aime24 --suite aime25 --k 32
    """
    from reasonrl.launch.request import EvalOptions, tidy

    if model is None:
        if not table:
            raise ConfigError("no MODEL to evaluate", expected="a model or a run, or --table")
        _show_table(out)
        return
    options = EvalOptions(
        suites=suite or (),
        k=k,
        temperature=temperature,
        max_new_tokens=max_new_tokens,
        limit=limit,
        data=data,
        style=style,
        system_prompt=system_prompt,
        unboxed=unboxed,
        seed=seed,
        overrides=overrides or (),
    )
    directory = _evaluate(tidy(model), compare and tidy(compare), recipe, options, out, address)
    if table:
        _show_table(directory)
    typer.echo(f"done: {directory}/results.json, {directory}/report.html")


def _evaluate(
    model: str,
    compare: str | None,
    recipe: str | None,
    options: EvalOptions,
    out: Path | None,
    address: str | None,
) -> Path:
    """Evaluate as the options say, show the results, and return where they are."""
    from reasonrl.launch.request import load_base, named_directory, settle, unused_settings
    from reasonrl.recipe.named import recipe_path

    base = load_base(recipe_path(recipe) if recipe else None, model, options.suites)
    is_plain = base is None and options.system_prompt is None and not options.unboxed
    unused = unused_settings(model) if is_plain else ""
    request = settle(base, options)
    directory = out or named_directory(request, model)

    from reasonrl.cli.show.evaluation import show_results
    from reasonrl.launch.evaluate import evaluate as launch
    from reasonrl.terminal import Console

    console = Console()
    if unused:
        console.note(unused)
    models = [model] if compare is None else [compare, model]
    with _repeatable():
        results = launch(request, models, directory, console, address=address)
    show_results(console, results)
    return directory


def export(
    run: Run,
    directory: NewDirectory,
    license_id: License = "",
    evaluation: Evaluations = None,
) -> None:
    """Release a run's model: weights, tokenizer and a card, checked with plain transformers."""
    from reasonrl.launch.export import export as launch
    from reasonrl.terminal import Console

    console = Console()
    done = launch(run, directory, console, license_id=license_id, evaluations=evaluation or ())
    console.note(
        f"plain transformers scores {done.answers} answers ({done.tokens} tokens) alike: at most "
        f"{done.gap_nats:.1e} nats apart"
    )
    console.note(f"done: {done.directory}, read {done.directory}/README.md first")


def _show_table(directory: Path | None) -> None:
    """Print the report's Table 13 with the rows of one evaluation, or of all below `evals`."""
    from reasonrl.cli.show.evaluation import show_table_13
    from reasonrl.evaluation.results import read_results
    from reasonrl.terminal import Console

    places = [directory] if directory else sorted(Path("evals").glob("*"))
    found = [results for place in places if (results := read_results(place))]
    if directory and not found:
        raise ConfigError("no results here", where=str(directory), expected="results.json")
    show_table_13(Console(), found)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Say how to go on when an evaluation is stopped or cannot go on."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops like a Ctrl-C
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here")
        raise typer.Exit(130) from None
    except (StorageError, EngineError, VerifierError, OSError):
        typer.echo("once what follows is mended, the same command goes on from here", err=True)
        raise
