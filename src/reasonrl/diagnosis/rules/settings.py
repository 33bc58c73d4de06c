"""Settings that do nothing: a rate that moves nothing, a bound that never binds, a wrong stage."""

from __future__ import annotations

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History, key_of
from reasonrl.diagnosis.rules.spans import LONG_ROW, ROW
from reasonrl.recipe import UpdateConfig

_STILL_STEPS = 25
"""Steps after which a policy that learns has moved; the rule looks once."""

_STILL_NATS, _STILL_RIGHT = 0.05, 0.06
"""The relative change of entropy, and the change of accuracy, that is no change."""

_IDLE_STEPS = 10
"""Steps in which a setting that acts would have acted."""

_FLAT_STEPS = 20
"""Steps of which accuracies are compared inside a stage."""


def nothing_moves(history: History) -> RunFinding | None:
    """Find a run whose updates have changed nothing since its start."""
    if history.n != _STILL_STEPS or not all(history.last("update/n", LONG_ROW)):
        return None
    nats, now = history.start("entropy/nats", LONG_ROW), history.mean("entropy/nats", LONG_ROW)
    right, later = history.start("accuracy/all", 10), history.mean("accuracy/all", 10)
    middle = history.start("entropy/nats", LONG_ROW, after=history.n // 2)
    if not nats or now is None or middle is None or right is None or later is None:
        return None
    # An entropy that fell and came back has moved.
    if max(abs(now / nats - 1), abs(middle / nats - 1)) > _STILL_NATS:
        return None
    if abs(later - right) > _STILL_RIGHT:
        return None
    rate = history.stage().update.learning_rate
    return RunFinding(
        rule="nothing-moves",
        since_step=history.step(0),
        message=f"nothing has moved in {history.n} steps: entropy {nats:.3g} to {now:.3g} nats, "
        f"accuracy {right:.2f} to {later:.2f}",
        cause=f"the learning rate of {rate:g} is too low for this model",
        key=key_of(history, "update.learning_rate"),
        value=f"{10 * rate:g}",
        evidence={"entropy at the start": nats, "entropy": now, "learning rate": rate},
    )


def dead_setting(history: History) -> RunFinding | None:
    """Find a clip range that was chosen and cannot act, for there is one update a step."""
    update, plain = history.stage().update, UpdateConfig()
    taken = history.n - history.stage_start
    if taken < _IDLE_STEPS or any(history.last("update/clipped_share", taken)):
        return None
    for name in ("clip_high", "clip_low"):
        chosen = getattr(update, name)
        if chosen == getattr(plain, name) or not history.last("update/clipped_share", taken):
            continue
        is_alone = update.minibatches * update.reuse == 1 and history.recipe.ahead is None
        return RunFinding(
            rule="dead-setting",
            since_step=history.step(history.stage_start),
            message=f"update.{name} = {chosen:g} has clipped no token in {taken} steps",
            cause="with one update a step the ratio is 1, so that nothing is clipped"
            if is_alone
            else "no ratio came near the bound",
            key=key_of(history, "update.minibatches") if is_alone else "",
            value="2" if is_alone else "",
            evidence={name: chosen, "clipped share": 0.0},
        )
    return None


def stage_border(history: History) -> RunFinding | None:
    """Find a stage that ended while accuracy rose, or that goes on while it stands still."""
    stage, begun = history.stage(), history.stage_start
    taken = history.n - begun
    if 0 < begun == history.n - 1:
        return _ended_early(history, begun)
    is_last = stage is history.recipe.stage[-1]
    if is_last or taken < 2 * _FLAT_STEPS or stage.steps - taken < _FLAT_STEPS:
        return None
    values = history.last("accuracy/all", 2 * _FLAT_STEPS)
    if len(values) < 2 * _FLAT_STEPS:
        return None
    before = sum(values[:_FLAT_STEPS]) / _FLAT_STEPS
    after = sum(values[_FLAT_STEPS:]) / _FLAT_STEPS
    if after > before + 0.01:
        return None
    return RunFinding(
        rule="stage-too-long",
        since_step=history.step(-_FLAT_STEPS),
        message=f"accuracy stands still in stage {stage.name}, which has "
        f"{stage.steps - taken} steps to go",
        cause="the stage has taught what it can; a plateau ends it by itself",
        key=key_of(history, "plateau"),
        value=f"{{window={_FLAT_STEPS}}}",
        evidence={"accuracy before": before, "accuracy": after},
    )


def _ended_early(history: History, border: int) -> RunFinding | None:
    """Find a stage before the border whose accuracy rose until its end."""
    stage, half = history.stage(border - 1), 10
    values = [value for value in history.series("accuracy/all")[:border] if value is not None]
    if min(len(values), stage.steps) < 2 * half:
        return None
    before, after = sum(values[-2 * half : -half]) / half, sum(values[-half:]) / half
    if after - before < 0.1 or sum(values[-ROW:]) / ROW < after:
        return None
    number = history.recipe.stage.index(stage) + 1
    return RunFinding(
        rule="stage-too-short",
        since_step=history.step(border - 1),
        message=f"stage {stage.name} ended while accuracy rose from {before:.2f} to {after:.2f} in "
        f"{half} steps",
        cause="it had more to teach",
        key=f"stage.{number}.steps",
        value=str(2 * stage.steps),
        evidence={"accuracy before": before, "accuracy": after},
    )
