"""Rows of our own beside the report's Table 13."""

from reasonrl.evaluation.results import EvalResults, ModelResults
from reasonrl.evaluation.score import JudgedSample, score_suite
from reasonrl.evaluation.table13 import rows_of
from reasonrl.types import Kind, Sampling, Status, Verdict


def result(name, right, *, k=32, n=30, temperature=1.0):
    sample = JudgedSample(
        kind=Kind.MATH, n_tokens=3, is_truncated=False,
        verdict=Verdict(reward=right, status=Status.CORRECT),
    )  # fmt: skip
    sampling = Sampling(max_new_tokens=32_768, temperature=temperature, group_size=k)
    return score_suite(name, {f"p{i}": [sample] * k for i in range(n)}, sampling, step=0)


def rows(*results, **sources):
    suites = [{"name": one.suite, "sources": [sources[one.suite]]} for one in results]
    model = ModelResults(name="m", label="m", weights="w", suites=results)
    return list(rows_of(EvalResults(reasonrl="0", recipe={"suite": suites}, models=(model,))))


def test_the_reports_way_of_asking_is_one_row():
    [(name, values)] = rows(
        result("a", 1.0), result("b", 0.0), a={"type": "aime24"}, b={"type": "aime25"}
    )
    assert name == "m (temperature 1, 32,768 tokens)"
    assert [value and value.value for value in values] == [1.0, 0.0, None]


def test_whatever_differs_is_said_and_overwrites_nothing():
    found = rows(
        result("a", 1.0), result("b", 0.0), result("c", 1.0, n=3, k=2),
        a={"type": "aime24"}, b={"type": "aime24", "style": "bare"}, c={"type": "aime24"},
    )  # fmt: skip
    assert [name for name, _ in found] == [
        "m (temperature 1, 32,768 tokens)",
        "m (temperature 1, 32,768 tokens, style bare)",
        "m (k=2, temperature 1, 32,768 tokens, 3 problems)",
    ]


def test_other_suites_have_no_row():
    assert rows(result("gsm8k", 1.0), gsm8k={"type": "gsm8k"}) == []
