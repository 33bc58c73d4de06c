"""The problems and the evaluations: seen too often, written twice, measured too coarsely."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.diagnosis.facts import Evaluated
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History, key_of
from reasonrl.diagnosis.rules.spans import LONG_ROW

_EPOCHS = 3
"""Finished passes over the problems before they can count as learned by heart."""

_GAP = 0.2
"""How much higher the accuracy on the seen problems must be than on a suite."""

_REPEATED = 0.05
"""The share of problems with an earlier problem's prompt from which on they are told."""

_EVALUATIONS = 3
"""Evaluations that must be there before a choice among them is judged."""


def data_exhausted(history: History) -> RunFinding | None:
    """Find problems that are learned by heart: their accuracy leaves that of a suite behind."""
    epoch = (history.last("data/epoch", 1) or [0.0])[-1]
    by_suite = _by_suite(history.facts.evaluations)
    if epoch < _EPOCHS or not by_suite:
        return None
    results = next(iter(by_suite.values()))
    first, last = results[0], results[-1]
    # The steps before the evaluation: a suite that is evaluated seldom is not behind for that.
    ago = history.step(-1) - last.step
    seen = history.start("accuracy/all", LONG_ROW, after=max(0, history.n - ago - LONG_ROW))
    if seen is None:
        return None
    begun = history.start("accuracy/all", 1) or 0.0
    # Seen problems may be easier from the start: what counts is how the distance has grown.
    is_apart = (seen - begun) - (last.value - first.value) > _GAP and last.high < seen
    if not is_apart or last.step == first.step:
        return None
    return RunFinding(
        rule="data-exhausted",
        since_step=last.step,
        message=f"the problems are learned by heart: {seen:.0%} of their answers are right, and "
        f"{last.value:.0%} of the suite {last.suite}",
        cause=f"every problem was seen about {epoch + 1:.0f} times; more problems would help more "
        "than any setting",
        key=key_of(history, "steps") if len(history.recipe.stage) > 1 else "stage.1.steps",
        value=str(max(1, first.step, last.step // 2)),
        evidence={
            "accuracy on seen problems": seen,
            f"accuracy on {last.suite}": last.value,
            f"{last.suite} at the start": first.value,
            "epochs": epoch + 1,
        },
        rollouts=history.step(-1),
    )


def duplicated_prompts(history: History) -> RunFinding | None:
    """Find problems whose prompt another problem of the stage has too."""
    stage = history.stage()
    repeats = history.facts.repeats.get(stage.name)
    if repeats is None or not repeats.n or repeats.repeated <= _REPEATED * repeats.n:
        return None
    return RunFinding(
        rule="duplicated-prompts",
        since_step=history.step(history.stage_start),
        message=f"{repeats.repeated} of the {repeats.n} problems of stage {stage.name} have the "
        "prompt of another problem",
        cause="the files hold problems several times, so these count several times; "
        "`reasonrl data build` drops them",
        evidence={"repeated": repeats.repeated, "problems": repeats.n},
        rollouts=history.step(-1),
    )


def noisy_evaluation(history: History) -> RunFinding | None:
    """Find a best checkpoint that is chosen by noise."""
    best = history.recipe.checkpoint.best
    results = _by_suite(history.facts.evaluations).get(best, [])
    if len(results) < _EVALUATIONS:
        return None
    top = max(results, key=lambda result: result.value)
    others = [result for result in results if result is not top]
    # The first evaluation is the model as it came: to be above it is no choice among checkpoints.
    later = [result for result in others if result.step > 0]
    if not later or any(result.value < top.low for result in later):
        return None
    number = [suite.name for suite in history.recipe.suite].index(best) + 1
    suite = history.recipe.suite[number - 1]
    return RunFinding(
        rule="noisy-evaluation",
        since_step=results[_EVALUATIONS - 1].step,
        message=f"the best checkpoint by {best} is chosen by noise: step {top.step} has "
        f"{top.value:.2f} [{top.low:.2f}, {top.high:.2f}], and every other step lies within",
        cause="too few problems or samples for differences of this size",
        key=f"suite.{number}.k",
        value=str(4 * suite.k),
        evidence={"best": top.value, "low": top.low, "high": top.high},
    )


def _by_suite(evaluations: Sequence[Evaluated]) -> dict[str, list[Evaluated]]:
    found: dict[str, list[Evaluated]] = {}
    for one in evaluations:
        found.setdefault(one.suite, []).append(one)
    return found
