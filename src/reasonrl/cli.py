"""The command `reasonrl`. Parses, prints errors, sets exit codes; the work is done elsewhere.

Heavy imports happen inside the commands, so that `--help` and `show-config` are quick.
Exit codes: 0 done, 1 a bug, 2 something the user can mend, 130 stopped by a person.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl import cli_data, cli_eval, cli_plan, cli_study
from reasonrl.errors import EngineError, ReasonRLError, StorageError, VerifierError

if TYPE_CHECKING:
    from reasonrl.console import Console
    from reasonrl.launch.train import Outcome
    from reasonrl.verify import Isolation, VerifyItem

app = typer.Typer(
    name="reasonrl",
    help="Reinforcement learning that makes language models reason.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("eval")(cli_eval.evaluate)
app.command("export")(cli_eval.export)
app.command("plan")(cli_plan.plan)
app.command("study")(cli_study.study)

app.add_typer(cli_data.data_app, name="data")

lab_app = typer.Typer(help="The miniature that studies run on.", no_args_is_help=True)
lab_app.command("build")(cli_study.build)
app.add_typer(lab_app, name="lab")

RecipePath = Annotated[Path, typer.Argument(help="A recipe in TOML.", metavar="RECIPE.toml")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one value, e.g. --set seed=2 or --set stage.1.steps=5."),
]

Address = Annotated[
    str | None,
    typer.Option(help="A Ray cluster's, or `auto` on one of its nodes; else this machine alone."),
]


@app.command()
def train(
    recipe: RecipePath,
    overrides: Overrides = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where the run is kept; runs/NAME-DATE if left out.")
    ] = None,
    address: Address = None,
) -> None:
    """Train a model as a recipe says."""
    import time

    from reasonrl.recipe_file import load_recipe

    parsed = load_recipe(recipe, overrides or ())
    directory = run_dir or Path("runs") / f"{parsed.name}-{time.strftime('%Y%m%d-%H%M%S')}"

    from reasonrl.console import Console, show_recipe
    from reasonrl.launch.train import train as launch

    console = Console()
    show_recipe(console, parsed)
    with _resumable(directory):
        _end(launch(parsed, directory, console, address=address), console)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="The directory of a run.", metavar="RUN")],
    address: Address = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Run elsewhere from here on, e.g. --set engine.learner.ranks=4"),
    ] = None,
) -> None:
    """Go on with a run that was stopped, from its newest checkpoint."""
    from reasonrl.console import Console
    from reasonrl.launch.train import resume as launch

    console = Console()
    with _resumable(run):
        _end(launch(run, console, address=address, overrides=overrides or ()), console)


@app.command()
def status(
    run: Annotated[Path, typer.Argument(help="The directory of a run.", metavar="RUN")],
) -> None:
    """Say how a run is: alive or not, how far, its processes. Leave with 1 if it is silent."""
    from reasonrl.console import Console
    from reasonrl.console_status import show_status
    from reasonrl.status import read_status

    found = read_status(run)
    show_status(Console(), found)
    if found.phase == "silent":
        raise typer.Exit(1)


@app.command("show-config")
def show_config(recipe: RecipePath, overrides: Overrides = None) -> None:
    """Print a recipe as it would run: everything resolved, with the derived numbers."""
    from reasonrl.console import Console, show_recipe
    from reasonrl.recipe_file import dump_recipe, is_eval_recipe, load_eval_recipe, load_recipe

    if not overrides and is_eval_recipe(recipe):
        typer.echo(dump_recipe(load_eval_recipe(recipe)))
        return
    parsed = load_recipe(recipe, overrides or ())
    typer.echo(dump_recipe(parsed))
    show_recipe(Console(), parsed)


@app.command()
def verify(
    input: Annotated[
        Path | None, typer.Option(help="One JSON object a line: id, kind, response, gold or tests.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the verdicts go, one a line, in order.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes for algebra, and for programs.")
    ] = 1,
    deadline_s: Annotated[float, typer.Option(help="Seconds that one answer may take.")] = 0.8,
    unboxed: Annotated[bool, typer.Option(help="Accept a final number without a box.")] = False,
    cross_check: Annotated[
        bool, typer.Option(help="Judge again by math-verify alone, and report disagreements.")
    ] = False,
    all_tests: Annotated[
        bool, typer.Option(help="Run all tests of a program, not up to the first that fails.")
    ] = False,
    fraction: Annotated[
        bool, typer.Option(help="Reward a program with the share of its tests that pass.")
    ] = False,
    isolation: Annotated[
        str, typer.Option(help="The weakest sandbox to accept: namespaces, landlock or none.")
    ] = "namespaces",
    explain: Annotated[
        bool, typer.Option(help="Show how one verdict comes about: --gold and --answer.")
    ] = False,
    gold: Annotated[str | None, typer.Option(help="With --explain: the right answer.")] = None,
    answer: Annotated[
        str | None, typer.Option(help="With --explain: what stands in the box.")
    ] = None,
    response: Annotated[
        str | None, typer.Option(help="With --explain: a whole response, instead of --answer.")
    ] = None,
) -> None:
    """Judge a file of responses, or explain the verdict on one."""
    from reasonrl.console import Console, show_explanation, show_verification
    from reasonrl.verify import CodeOptions, Verifier, verify_file
    from reasonrl.verify.explain import explain as explain_verdict

    console = Console()
    if explain:
        item = _one_item(gold, answer, response)
        with Verifier(deadline_s=deadline_s, unboxed=unboxed) as verifier:
            show_explanation(console, explain_verdict(verifier, item))
        return
    if input is None or output is None:
        raise VerifierError("nothing to verify", expected="--input and --output, or --explain")
    report = verify_file(
        input,
        output,
        workers=workers,
        deadline_s=deadline_s,
        unboxed=unboxed,
        cross_check=cross_check,
        code=CodeOptions(
            stop_early=not all_tests,
            reward="fraction" if fraction else "binary",
            isolation=_isolation(isolation),
        ),
        phase=console.phase,
    )
    show_verification(console, report)


def _isolation(name: str) -> Isolation:
    from reasonrl.verify import Isolation

    try:
        return Isolation(name)
    except ValueError:
        raise VerifierError(
            f"isolation = {name}", expected="one of " + ", ".join(Isolation)
        ) from None


sandbox_app = typer.Typer(help="The sandbox that programs run in.", no_args_is_help=True)
app.add_typer(sandbox_app, name="sandbox")


@sandbox_app.command("check")
def sandbox_check() -> None:
    """Say what isolation this machine gives; leave with 1 if it is weaker than namespaces."""
    from reasonrl.console import Console, show_machine
    from reasonrl.verify import Isolation
    from reasonrl.verify.code.pool import probe

    machine = probe()
    show_machine(Console(), machine)
    if machine.level is not Isolation.NAMESPACES:
        raise typer.Exit(1)


def _one_item(gold: str | None, answer: str | None, response: str | None) -> VerifyItem:
    from reasonrl.types import Kind, Task
    from reasonrl.verify import VerifyItem

    if gold is None or (answer is None) == (response is None):
        raise VerifierError("not one pair", expected="--gold and one of --answer, --response")
    text = f"\\boxed{{{answer}}}" if response is None else response
    return VerifyItem(task=Task(kind=Kind.MATH, answer=gold), response=text)


def main() -> None:
    """Run the command line; errors a user can mend are printed without a traceback."""
    try:
        app()
    except ReasonRLError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{error.filename or 'disk'}: {error.strerror}; free space or choose another place")


@contextmanager
def _resumable(directory: Path) -> Iterator[None]:
    """Say how to go on when something outside the recipe ends a run."""
    try:
        yield
    except KeyboardInterrupt:
        has_run = (directory / "config.toml").exists()
        then = f"go on with: reasonrl resume {directory}" if has_run else "nothing was started yet"
        typer.echo(f"stopped at once; {then}")
        raise typer.Exit(130) from None
    except (StorageError, EngineError, VerifierError, OSError):
        if (directory / "config.toml").exists():
            typer.echo(f"once that is mended, go on with: reasonrl resume {directory}", err=True)
        raise


def _fail(text: str) -> None:
    typer.secho(f"error: {text}", fg="red", err=True)
    sys.exit(2)


def _end(outcome: Outcome, console: Console) -> None:
    """Say how it ended; leave with 130 when a person stopped it."""
    if outcome.is_finished:
        console.note(f"done: {outcome.directory}/summary.json, {outcome.directory}/report.html")
        return
    console.note(
        f"stopped after step {outcome.step}; go on with: reasonrl resume {outcome.directory}"
    )
    raise typer.Exit(130)
