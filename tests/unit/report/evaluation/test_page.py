"""The page of an evaluation leads from what is wrong to the samples that show it."""

from __future__ import annotations

import re
from urllib.parse import unquote

from reasonrl.evaluation.results import EvalResults, ModelResults
from reasonrl.report.evaluation.page import render_eval_page
from reasonrl.report.evaluation.samples import ShownProblem, SuiteSamples
from reasonrl.report.evaluation.warnings import warnings_of
from tests.unit.report.support import problem, suite_result


def results(**changes) -> EvalResults:
    problems = [problem("easy", 4), problem("hard <b>", 0), problem("half", 2)]
    result = suite_result(0.5, problems=problems, **changes)
    return EvalResults(
        reasonrl="0.1",
        recipe={"seed": 1, "verify": {"unboxed": False}, "suite": [{"name": "heldout"}]},
        models=(ModelResults(name="m", label="m", weights="f" * 64, suites=(result,)),),
    )


def test_the_hardest_problem_comes_first_and_links_to_its_samples() -> None:
    shown = ShownProblem(id="hard <b>", prompt="?", answer="7", samples=())
    samples = {"heldout": SuiteSamples(lengths={}, problems=(shown,))}
    page = render_eval_page(results(), samples)
    table = page[page.index("the hardest first") :]
    assert table.index("hard") < table.index("half") < table.index("easy")
    [link] = re.findall('href="#([^"]*)"', page)
    assert f'id="{unquote(link)}"' in page


def test_what_a_reader_should_know_first_is_said_in_words() -> None:
    statuses = {"CORRECT": 5, "NO_ANSWER": 5}
    sick = results(statuses=statuses, truncated=0.3, failed=2)
    found = warnings_of(sick)
    for said in ("50% of the samples have no answer", "30% of the samples were cut off at 16",
                 "2 samples could not be judged", "3 problems: the interval"):  # fmt: skip
        assert any(said in text for text in found)
    page = render_eval_page(sick, {})
    assert all(text in page for text in found)
