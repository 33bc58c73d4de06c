"""The page of an evaluation: results with intervals, verdicts, charts, problems and samples.

Like the page of a run it needs no network and no script, and all text in it is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from reasonrl.evaluation.results import EvalResults
from reasonrl.evaluation.score import ProblemResult, SuiteResult, describe_statuses
from reasonrl.evaluation.seeds import seed_spreads
from reasonrl.report.drawing.frame import cut, document, facts, figure, share, table
from reasonrl.report.drawing.svg import escape_text
from reasonrl.report.evaluation.panels import limit_chart, pass_chart, problem_chart
from reasonrl.report.evaluation.samples import ShownProblem, ShownSample, SuiteSamples
from reasonrl.report.evaluation.warnings import warnings_of


def render_eval_page(results: EvalResults, samples: Mapping[str, SuiteSamples]) -> str:
    """Return the page as HTML, with all models; `samples` holds the samples of each suite."""
    title = ", ".join(model.name for model in results.models)
    spreads = (escape_text(spread.describe()) for spread in seed_spreads(results))
    body = [f"<h1>{escape_text(title)}</h1>", _facts(results)]
    body += [f'<p class="card finding">{escape_text(text)}</p>' for text in warnings_of(results)]
    body += [f'<p class="card">{spread}</p>' for spread in spreads]
    for suite in (suite["name"] for suite in results.recipe["suite"]):
        by_model = {
            model.name: result for model in results.models if (result := model.suite(suite))
        }
        if by_model:
            body += _suite(results, suite, by_model, samples.get(suite))
    return document(title, body)


_ASKED = {
    "system_prompt": "system prompt",
    "prompt_style": "prompts",
    "chat_template": "chat template",
    "chat_template_args": "given to the template",
    "chat_time": "time for the template",
    "stop": "stop texts",
}
"""Keys of a recipe that say how the model was asked, and their names on the page."""


def _facts(results: EvalResults) -> str:
    recipe = results.recipe
    known: list[tuple[str, object]] = [("reasonrl", results.reasonrl), ("seed", recipe["seed"])]
    known += [(name, recipe[key]) for key, name in _ASKED.items() if recipe.get(key)]
    if recipe["verify"]["unboxed"]:
        known.append(("answers", "a final number without a box counts"))
    known += [(f"weights of {model.name}", model.weights[:12]) for model in results.models]
    return facts(known)


def _cuts(results: EvalResults, suite: str) -> str:
    """Return how a suite cut the support of sampling, in words."""
    [table] = [table for table in results.recipe["suite"] if table["name"] == suite]
    names = {"top_p": ("top-p", 1.0), "top_k": ("top-k", 0), "min_p": ("min-p", 0.0)}
    return "".join(
        f", {shown} {table[key]:g}"
        for key, (shown, none) in names.items()
        if table.get(key, none) != none
    )


def _suite(
    results: EvalResults,
    suite: str,
    by_model: Mapping[str, SuiteResult],
    samples: SuiteSamples | None,
) -> Iterator[str]:
    first = next(iter(by_model.values()))
    yield (
        f'<h2>{escape_text(suite)} <small class="quiet">{first.n_problems} problems, {first.k} '
        f"samples each, temperature {first.temperature:g}{_cuts(results, suite)}, "
        f"up to {first.max_new_tokens:,} tokens</small></h2>"
    )
    for comparison in results.comparisons:
        if comparison.suite == suite:
            yield (
                f'<p class="card"><b>{escape_text(comparison.verdict)}</b> '
                f'<span class="quiet">{escape_text(comparison.after)} against '
                f"{escape_text(comparison.before)}, paired by problem</span></p>"
            )
    yield _table(by_model)
    charts = [pass_chart(by_model)] if first.k > 1 else []
    charts += [limit_chart(samples.lengths)] if samples and samples.lengths else []
    charts.append(problem_chart(by_model))
    cards = "\n".join(f'<div class="card">{figure(chart)}</div>' for chart in charts)
    yield f'<div class="grid-2">\n{cards}\n</div>'
    yield _problems(by_model, suite, samples)
    if samples:
        yield _samples(samples.problems, suite)


def _table(by_model: Mapping[str, SuiteResult]) -> str:
    rows = [_row(model, result) for model, result in by_model.items()]
    k = next(iter(by_model.values())).k
    estimates = [f"avg@{k}", f"pass@{k}", f"cons@{k}"]
    head = ["model", *estimates, "right of finished", "truncated", "mean tokens"]
    return table(head, rows) + (
        '<p class="quiet"><small>In percent, with 95 % intervals over problems; pass@k is the '
        "unbiased chance that at least one of k samples is right, cons@k the chance that the most "
        "frequent answer is right.</small></p>"
    )


def _row(model: str, result: SuiteResult) -> list[str]:
    finished = result.accuracy_finished
    return [
        f"{escape_text(model)}<br><small>{escape_text(describe_statuses(result))}</small>",
        share(result.accuracy),
        share(result.pass_at.get(result.k)),
        share(result.consensus),
        "-" if finished is None else f"{finished:.1%}",
        f"{result.truncated_share:.1%}",
        f"{result.mean_tokens:.1f}",
    ]


# problems and samples


def _problems(by_model: Mapping[str, SuiteResult], suite: str, samples: SuiteSamples | None) -> str:
    """Return the table of all problems, folded, the hardest first; shown samples are linked."""
    columns = "".join(
        f"<th>{escape_text(model)}: right</th><th>cut off</th><th>tokens</th>" for model in by_model
    )
    by_id = [{problem.id: problem for problem in result.problems} for result in by_model.values()]
    shown = {problem.id for problem in samples.problems} if samples else set()
    hardest = sorted(by_id[0], key=lambda name: (by_id[0][name].score or 0.0, name))
    rows = "".join(
        f"<tr><td>{_link(name, suite) if name in shown else escape_text(name)}</td>"
        f"{''.join(_cells(ids[name]) for ids in by_id)}</tr>"
        for name in hardest
        if all(name in ids for ids in by_id)
    )
    return (
        f'<details class="card"><summary>All {len(by_id[0])} problems, the hardest first; a link '
        'leads to samples</summary><div class="scroll">'
        f"<table><thead><tr><th>problem</th>{columns}</tr></thead><tbody>{rows}</tbody></table>"
        "</div></details>"
    )


def _cells(problem: ProblemResult) -> str:
    right = f"{problem.right} of {problem.judged}"
    cells = (right, problem.truncated, f"{problem.mean_tokens:.0f}")
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _anchor(name: str, suite: str) -> str:
    return quote(f"{suite}/{name}")


def _link(name: str, suite: str) -> str:
    # A browser reads the escapes of an address once before it looks for an id.
    return f'<a href="#{quote(_anchor(name, suite))}">{escape_text(name)}</a>'


def _samples(problems: Sequence[ShownProblem], suite: str) -> str:
    shown = "".join(_problem(problem, suite) for problem in problems)
    return (
        f'<details class="card"><summary>Samples of {len(problems)} problems <span class="quiet">'
        "(of each model a right and a wrong sample, if it has both)</span></summary>"
        f"{shown}</details>"
    )


def _problem(problem: ShownProblem, suite: str) -> str:
    samples = "".join(_sample(sample) for sample in problem.samples)
    return (
        f'<div class="sample" id="{_anchor(problem.id, suite)}"><p><b>{escape_text(problem.id)}</b>'
        f' <span class="quiet">answer key:</span> {cut(problem.answer, 500)}</p>'
        f"<pre>{cut(problem.prompt)}</pre>{samples}</div>"
    )


def _sample(sample: ShownSample) -> str:
    reward = "not judged" if sample.reward is None else f"reward {sample.reward:g}"
    evidence = [
        f"sample {sample.index}",
        sample.status,
        reward,
        f"{sample.n_tokens} tokens",
        f"ended by {sample.stop}",
    ]
    if sample.tests:
        passed = sum(status == "PASS" for status in sample.tests)
        evidence.append(f"{passed} of {len(sample.tests)} tests passed")
    if sample.reason:
        evidence.append(sample.reason)
    answer = f"; answer: {cut(sample.extracted, 500)}" if sample.extracted else ""
    return (
        f'<p><b>{escape_text(sample.model)}</b> <span class="quiet">'
        f"{escape_text(', '.join(evidence))}{answer}</span></p><pre>{cut(sample.text)}</pre>"
    )
