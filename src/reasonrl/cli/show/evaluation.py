"""Show evaluations: tables, comparisons, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from reasonrl.algo.stats import Estimate
from reasonrl.evaluation.results import EvalResults
from reasonrl.evaluation.score import SuiteResult, shown
from reasonrl.evaluation.seeds import seed_spreads
from reasonrl.evaluation.table13 import COLUMNS, TABLE_13, rows_of
from reasonrl.terminal import Console
from reasonrl.types import Status

_COLUMNS = ("avg@k", "pass@k", "cons@k", "right of finished", "truncated", "tokens")
_FEW = 6  # problems; fewer can never show a difference
_MANY = 0.2  # share of samples above which a fault is worth a warning


def show_results(console: Console, results: EvalResults) -> None:
    """Print a table of all models' results, the comparisons, and warnings."""
    unboxed = results.recipe["verify"]["unboxed"]
    table = Table("suite", "problems", "model", *_COLUMNS)
    warnings = []
    for suite in [suite["name"] for suite in results.recipe["suite"]]:
        for model in results.models:
            name, result = model.name, model.suite(suite)
            if result is None:
                continue
            finished = result.accuracy_finished
            table.add_row(
                suite,
                f"{result.n_problems} x {result.k}",
                Text(name),
                shown(result.accuracy),
                shown(result.pass_at.get(result.k)) if result.k > 1 else "-",
                shown(result.consensus),
                "-" if finished is None else f"{100 * finished:.1f}",
                f"{result.truncated_share:.1%}",
                f"{result.mean_tokens:.0f}",
            )
            warnings += [f"{suite}, {name}: {text}" for text in warn(result, unboxed=unboxed)]
    console.print(table)
    for line in _rewards(results):
        console.note(line)
    for spread in seed_spreads(results):
        console.note(spread.describe())
    for comparison in results.comparisons:
        suite, pair = comparison.suite, f"{comparison.after} against {comparison.before}"
        console.note(f"{suite}: {pair}: {comparison.verdict}")
        if comparison.gain.n_problems < _FEW:
            console.note(f"{suite}: fewer than {_FEW} problems cannot show a difference")
    for text in warnings:
        console.note(text)


def _rewards(results: EvalResults) -> Iterator[str]:
    """Yield a line for each model and suite whose recipe has reward components."""
    for model in results.models:
        for result in model.suites:
            means = {"total": result.reward, **result.components}
            parts = [f"{name} {_amount(mean)}" for name, mean in means.items() if mean]
            if result.components and parts:
                yield f"{result.suite}, {model.name}: mean reward {'; '.join(parts)}"


def _amount(mean: Estimate) -> str:
    low, high = mean.ci95
    return f"{mean.value:.3f} [{low:.3f}, {high:.3f}]"


def warn(result: SuiteResult, *, unboxed: bool) -> Iterator[str]:
    """Yield what a reader should know before trusting the result."""
    n = sum(result.statuses.values()) or 1
    if result.truncated_share > _MANY:
        yield (
            f"{result.truncated_share:.0%} of the samples were cut off at {result.max_new_tokens} "
            "tokens and count as wrong"
        )
    unanswered = result.statuses.get(Status.NO_ANSWER, 0)
    if n and unanswered / n > _MANY:
        more = "" if unboxed else " in a box; pass --unboxed to read answers without a box"
        yield f"{unanswered / n:.0%} of the samples have no answer{more}"
    if result.temperature == 0 and result.k > 1:
        yield f"greedy samples are alike: {result.k} of a problem say no more than 1; use --k 1"
    if result.failed:
        yield f"{result.failed} of {n} samples could not be judged; no mean includes them"


def show_table_13(console: Console, evaluations: Sequence[EvalResults]) -> None:
    """Print the report's Table 13 and, below it, our own rows with their intervals."""
    title = "Skywork-OR1 report, Table 13: avg@32, avg@32, avg@4"
    table = Table("model", *COLUMNS.values(), title=title)
    for name, values in TABLE_13:
        table.add_row(name, *("-" if value is None else f"{value:.1f}" for value in values))
    table.add_section()
    ours = [row for results in evaluations for row in rows_of(results)]
    for name, estimates in ours:
        table.add_row(Text(name), *(Text(shown(estimate)) for estimate in estimates))
    console.print(table)
    if not ours:
        console.note("no results of our own on aime24, aime25 or livecodebench yet")
    console.note("The report: temperature 1, top-p 1, at most 32,768 tokens. Our rows may differ.")
