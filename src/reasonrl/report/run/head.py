"""The facts at the head of a run's page: how far it is, how fast, with what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from reasonrl.report.drawing.frame import facts
from reasonrl.report.drawing.scale import duration_text, short_text
from reasonrl.report.run.panels import stage_borders, step_of
from reasonrl.types import Row

_RECENT = 20
"""Steps over which rates are taken."""

_PHASES = ("rollout", "update", "sync", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands: `phase` as in `reasonrl status`, and the steps that its recipe asks for.

    `left_s` is the time left, None where it is not known.
    """

    phase: str
    total: int
    left_s: float | None = None


def head_html(
    metrics: Sequence[Row],
    summary: Mapping[str, object] | None,
    standing: Standing | None,
    sessions: Sequence[Mapping[str, object]],
) -> str:
    """Return what ran, for how long, how fast, and through which stages."""
    shown: list[tuple[str, object]] = [*_standing(metrics, summary, standing)]
    if summary is not None:
        shown += [(key, summary[key]) for key in ("model", "seed") if key in summary]
    shown += _rates(metrics, summary)
    borders = stage_borders(metrics)
    if borders:
        ends = [border.step - 1 for border in borders[1:]] + [step_of(metrics[-1])]
        spans = zip(borders, ends, strict=True)
        stages = ", ".join(f"{border.label} ({border.step} to {end})" for border, end in spans)
        shown.append(("stages", stages))
    shown += _origin(sessions, summary)
    return facts(shown)


def _standing(
    metrics: Sequence[Row], summary: Mapping[str, object] | None, standing: Standing | None
) -> list[tuple[str, object]]:
    phase = "finished" if summary is not None else standing.phase if standing else "not finished"
    step = step_of(metrics[-1]) if metrics else 0
    steps = f"{step} of {standing.total}" if standing and standing.total != step else str(step)
    shown: list[tuple[str, object]] = [("status", phase), ("steps", steps)]
    if standing and standing.left_s:
        shown.append(("left", f"about {duration_text(standing.left_s)}"))
    return shown


def _rates(
    metrics: Sequence[Row], summary: Mapping[str, object] | None
) -> list[tuple[str, object]]:
    """Return seconds a step, tokens a second, the share of each phase, and the learning rate."""
    shown: list[tuple[str, object]] = []
    wall_s = summary.get("train_wall_s") if summary else None
    if isinstance(wall_s, int | float):
        shown.append(("training time", duration_text(wall_s)))
    recent = metrics[-_RECENT:]
    seconds = _sum(recent, "time/step_s")
    if seconds > 0:
        tokens = fsum(
            _of(row, "rollout/mean_tokens") * _of(row, "rollout/sampled") for row in recent
        )
        shown.append(("step", duration_text(seconds / len(recent))))
        shown.append(("sampled", f"{tokens / seconds:,.0f} tokens a second"))
    spent = {name: _sum(metrics, f"time/{name}_s") for name in _PHASES}
    if (whole := sum(spent.values())) > 0:
        parts = [
            f"{name} {spent[name] / whole:.0%}" for name in _PHASES if spent[name] / whole > 0.005
        ]
        shown.append(("time", ", ".join(parts)))
    rates = [_of(row, "update/learning_rate") for row in metrics if row.get("update/learning_rate")]
    if rates:
        same = max(rates) == min(rates)
        text = (
            short_text(rates[-1])
            if same
            else f"{short_text(max(rates))} to {short_text(rates[-1])}"
        )
        shown.append(("learning rate", text))
    return shown


def _origin(
    sessions: Sequence[Mapping[str, object]], summary: Mapping[str, object] | None
) -> list[tuple[str, object]]:
    """Return the command, the versions and the machine of the last sitting."""
    shown: list[tuple[str, object]] = []
    if sessions:
        last = sessions[-1]
        machine, versions = last.get("machine"), last.get("versions")
        if isinstance(machine, Mapping):
            cores = f"{machine.get('threads')} of {machine.get('cores')} cores"
            shown.append(("machine", f"{machine.get('processor')}, {cores}"))
        if isinstance(versions, Mapping):
            shown.append(
                ("versions", ", ".join(f"{name} {what}" for name, what in versions.items()))
            )
        shown.append(("command", sessions[0].get("command", "")))
        if len(sessions) > 1:
            shown.append(("sittings", len(sessions)))
    elif summary is not None:
        shown += [(key, summary[key]) for key in ("threads", "reasonrl") if key in summary]
    if summary is not None and "finished_at" in summary:
        shown.append(("finished", summary["finished_at"]))
    return shown


def _of(row: Row, key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _sum(rows: Sequence[Row], key: str) -> float:
    return fsum(_of(row, key) for row in rows)
