"""The commands `reasonrl verify` and `reasonrl sandbox check`. Registered by `cli.app`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.endings import ExitCode, continuable
from reasonrl.errors import VerifierError

if TYPE_CHECKING:
    from reasonrl.verify import Isolation, VerifyItem


Input = Annotated[
    Path | None, typer.Option(help="JSON Lines with id, kind, response, and gold or tests.")
]
Output = Annotated[Path | None, typer.Option(help="File for the verdicts, one a line, in order.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes for algebra, and for programs.")]
Deadline = Annotated[float, typer.Option(help="Seconds that one answer may take.")]
Unboxed = Annotated[bool, typer.Option(help="Accept a final number without a box.")]
CrossCheck = Annotated[
    bool, typer.Option(help="Judge again with math-verify alone, and report disagreements.")
]
AllTests = Annotated[
    bool, typer.Option(help="Run all tests of a program, also after one that fails.")
]
Fraction = Annotated[
    bool, typer.Option(help="Reward a program with the share of its tests that pass.")
]
WeakestSandbox = Annotated[
    str, typer.Option(help="The weakest sandbox to accept: namespaces, landlock or none.")
]
Explain = Annotated[
    bool, typer.Option(help="Explain one verdict; pass --gold, and --answer or --response.")
]
Gold = Annotated[str | None, typer.Option(help="With --explain: the right answer.")]
InBox = Annotated[str | None, typer.Option(help="With --explain: the answer in the box.")]
Whole = Annotated[
    str | None, typer.Option(help="With --explain: a whole response, instead of --answer.")
]


def verify(
    input: Input = None,
    output: Output = None,
    workers: Workers = 1,
    deadline_s: Deadline = 0.8,
    unboxed: Unboxed = False,
    cross_check: CrossCheck = False,
    all_tests: AllTests = False,
    fraction: Fraction = False,
    isolation: WeakestSandbox = "namespaces",
    explain: Explain = False,
    gold: Gold = None,
    answer: InBox = None,
    response: Whole = None,
) -> None:
    """Judge a file of responses, or explain the verdict on one.

    A rerun keeps the verdicts of unchanged rows. Exits with 1 if a row could not be judged.
    """
    from reasonrl.cli.show.verification import show_explanation, show_verification
    from reasonrl.terminal import Console
    from reasonrl.verify import CodeOptions, Verifier, verify_file
    from reasonrl.verify.explain import explain as explain_verdict

    console = Console()
    if explain:
        item = _one_item(gold, answer, response)
        with Verifier(deadline_s=deadline_s, unboxed=unboxed) as verifier:
            show_explanation(console, explain_verdict(verifier, item))
        return
    if input is None or output is None:
        raise VerifierError(
            "nothing to verify",
            expected="--input and --output, or --explain",
            remedy="pass a file with --input and a place for the verdicts with --output",
        )
    code = CodeOptions(
        stop_early=not all_tests,
        reward="fraction" if fraction else "binary",
        isolation=_isolation(isolation),
    )
    with continuable():
        report = verify_file(
            input, output, workers=workers, deadline_s=deadline_s, unboxed=unboxed,
            cross_check=cross_check, code=code, phase=console.phase,
        )  # fmt: skip
    show_verification(console, report)
    if report.n_faults:
        raise typer.Exit(ExitCode.NO)


def _isolation(name: str) -> Isolation:
    from reasonrl.verify import Isolation

    try:
        return Isolation(name)
    except ValueError:
        raise VerifierError(
            f"isolation = {name}", expected="one of " + ", ".join(Isolation)
        ) from None


sandbox_app = typer.Typer(help="The sandbox that programs run in.", no_args_is_help=True)


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")]


@sandbox_app.command("check")
def sandbox_check(as_json: AsJson = False) -> None:
    """Show what isolation this machine gives, and try to escape from it.

    Exits with 0 for full isolation, with 1 for a weaker one, and with 2 where programs are refused.
    """
    from reasonrl.cli.show.verification import sandbox_as_json, show_sandbox
    from reasonrl.terminal import Console
    from reasonrl.verify.code.check import check_sandbox

    found = check_sandbox()
    if as_json:
        typer.echo(sandbox_as_json(found))
    else:
        show_sandbox(Console(), found)
    if not found.is_full:
        raise typer.Exit(ExitCode.MENDABLE if found.is_refused else ExitCode.NO)


def _one_item(gold: str | None, answer: str | None, response: str | None) -> VerifyItem:
    from reasonrl.types import Kind, Task
    from reasonrl.verify import VerifyItem

    if gold is None or (answer is None) == (response is None):
        raise VerifierError(
            "--explain needs one key and one answer",
            expected="--gold, and one of --answer and --response",
        )
    text = f"\\boxed{{{answer}}}" if response is None else response
    return VerifyItem(task=Task(kind=Kind.MATH, answer=gold), response=text)
