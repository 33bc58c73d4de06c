"""What a reader of an evaluation should know before its numbers, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reasonrl.evaluation.results import EvalResults
from reasonrl.evaluation.score import SuiteResult

_MANY = 0.25
"""The share of samples from which on a kind of failure is told."""

_FEW = 30
"""Problems below which an interval is wide whatever k is."""


def warnings_of(results: EvalResults) -> list[str]:
    """Return sentences, each with the suite and the model that it is about."""
    return [
        f"{suite.suite}, {model.name}: {text}"
        for model in results.models
        for suite in model.suites
        for text in _of(suite)
    ]


def _of(result: SuiteResult) -> Iterator[str]:
    total = sum(result.statuses.values())
    unread = sum(result.statuses.get(name, 0) for name in ("NO_ANSWER", "NO_CODE"))
    if total and unread / total > _MANY:
        yield (
            f"{unread / total:.0%} of the samples have no answer that the verifier reads; for "
            "mathematics, --unboxed reads answers without a box"
        )
    if result.truncated_share > _MANY:
        yield (
            f"{result.truncated_share:.0%} of the samples were cut off at "
            f"{result.max_new_tokens:,} tokens; a higher --max-new-tokens may score better"
        )
    if result.failed:
        yield f"{result.failed} samples could not be judged and are in no mean"
    if result.n_problems < _FEW:
        yield (
            f"{result.n_problems} problems: the interval is about other problems like these, and "
            "wide for so few"
        )
