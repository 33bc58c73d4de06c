"""Which suites are evaluated at a step."""

from __future__ import annotations

from collections.abc import Callable

from reasonrl.evaluation.score import SuiteResult, describe
from reasonrl.loop.seams import Recorder
from reasonrl.recipe import Recipe, Suite


def evaluate_due(
    recipe: Recipe,
    step: int,
    evaluate: Callable[[Suite], SuiteResult],
    recorder: Recorder,
    *,
    is_last: bool,
    should_stop: Callable[[], bool],
    note: Callable[[str], None],
) -> bool:
    """Evaluate the suites that are due at this step and not yet recorded.

    A suite is due before the first step, after the last, and at every multiple of its `every`.
    Return False when a person's wish to stop left some of them out.
    """
    due = [
        suite
        for suite in recipe.suite
        if step == 0 or is_last or (suite.every > 0 and step % suite.every == 0)
    ]
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
