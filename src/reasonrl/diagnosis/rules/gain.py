"""The general rule: accuracy does not rise, whatever the cause; what is known narrows it down."""

from __future__ import annotations

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History, Rise
from reasonrl.diagnosis.rules.spans import SLOW_ROW
from reasonrl.diagnosis.suspects import Suspect, suspects

_PATIENCE = 32
"""Steps after which an accuracy that has not risen is told even if nothing is far from usual."""

_SMALL = 0.05
"""A rise, a standard error included, that is none; the noise of small batches hides larger ones."""

_RIGHT = 0.8
"""The accuracy at the start that has little room to rise."""

_UNLIKE = 0.6
"""The share of a suite's accuracy, its lower bound, below which other problems are much harder."""


def no_gain(history: History) -> RunFinding | None:
    """Find an accuracy that has not risen since the start of the stage."""
    rise = history.rise(history.success, SLOW_ROW)
    if rise is None or rise.is_shown or rise.before > _RIGHT:
        return None
    known = suspects(history)
    found = [*(one for one in known if one.distance > 0), *_unlike_suite(history, rise)]
    taken = history.n - history.stage_start
    if not found:
        is_small = rise.now + rise.error <= rise.before + _SMALL
        if taken < _PATIENCE or history.stage_start > 0 or not is_small:
            return None
        found = known
    cause = (
        "; or ".join(one.words for one in found[:2])
        or "nothing of the recipe stands out: read prompts, answers and rewards of a step, and "
        "compare with a recipe that learns"
    )
    return RunFinding(
        rule="no-gain",
        since_step=history.step(history.stage_start),
        message=f"{history.success.partition('/')[0]} has not risen in {taken} steps "
        f"({rise.before:.2f} to {rise.now:.2f})",
        cause=cause,
        key=found[0].key if found else "",
        value=found[0].value if found else "",
        evidence={"before": rise.before, "now": rise.now, "noise of a mean": rise.error},
        rollouts=history.step(-1),
    )


def _unlike_suite(history: History, rise: Rise) -> list[Suspect]:
    """Return the problems as a suspect, if they are answered far less often than a suite's."""
    first = next(iter(history.facts.evaluations), None)
    if first is None or first.step > 0 or history.stage_start > 0:
        return []
    if not history.recipe.has_verifier or rise.before > _UNLIKE * first.low:
        return []
    words = (
        f"{rise.before:.0%} of the answers are right where the suite {first.suite} has "
        f"{first.value:.0%}: the problems are much harder, or their prompts or keys are damaged"
    )
    return [Suspect(words=words, key="", value="", distance=0.0, explains=frozenset())]
