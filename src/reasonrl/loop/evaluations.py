"""Which suites are evaluated at a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reasonrl.evaluation.score import SuiteResult, describe
from reasonrl.loop.seams import Recorder
from reasonrl.recipe import Recipe, Suite


def due_suites(recipe: Recipe, step: int, *, is_last: bool) -> list[Suite]:
    """Return the suites of a step: all before the first and after the last, else by `every`."""
    return [
        suite
        for suite in recipe.suite
        if step == 0 or is_last or (suite.every > 0 and step % suite.every == 0)
    ]


def evaluate_due(
    due: Sequence[Suite],
    step: int,
    evaluate: Callable[[Suite], SuiteResult],
    recorder: Recorder,
    *,
    should_stop: Callable[[], bool],
    note: Callable[[str], None],
) -> bool:
    """Evaluate the suites that are due at this step and not yet recorded.

    Return False when a person's wish to stop left some of them out.
    """
    if not due:
        return True
    done = {(result.suite, result.step) for result in recorder.evaluations()}
    for suite in due:
        if (suite.name, step) in done:
            continue
        if should_stop():
            return False
        result = evaluate(suite)
        recorder.evaluation(result)
        note(describe(result))
    return True
