"""Show what a replay and an audit found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from reasonrl.cli.show.verification import show_explanation
from reasonrl.terminal import Console

if TYPE_CHECKING:
    from reasonrl.diagnose.audit import Audited
    from reasonrl.diagnose.differences import Difference
    from reasonrl.diagnose.redraw import Redrawn
    from reasonrl.diagnose.replay import Replayed

_MOST = 12
"""Lines of differences that are shown."""


def show_replayed(console: Console, done: Replayed) -> None:
    """Print what was compared, under which bounds, and what differs, the first number first."""
    start = f"checkpoint {done.start}" if done.start else "the starting model"
    bounds = "equal to the bit"
    if not done.is_exact:
        bounds = f"within {done.bounds.nats:g} nats and {done.bounds.relative:.0%}"
    n = sum(done.comparison.counts.values())
    console.note(f"step {done.step} repeated from {start}; {n:,} values must be {bounds}")
    console.note(f"weights: {done.weights}")
    _show_differences(console, done.comparison.differences)
    if done.is_equal:
        console.note(f"all {n:,} values are {'equal' if done.is_exact else 'within the bounds'}")


def _show_differences(console: Console, differences: Sequence[Difference]) -> None:
    for difference in differences[:_MOST]:
        console.note(f"differs: {difference.sentence}")
    if len(differences) > _MOST:
        console.note(f"and {len(differences) - _MOST:,} more; --json has all of them")


def replay_as_json(done: Replayed) -> str:
    """Return a replay as one JSON object."""
    return json.dumps(
        {
            "step": done.step,
            "start": done.start,
            "exact": done.is_exact,
            "bounds": asdict(done.bounds),
            "compared": done.comparison.counts,
            "largest": done.comparison.largest,
            "weights": done.weights,
            "differences": [asdict(one) for one in done.comparison.differences],
        },
        default=str,
    )


def show_redrawn(console: Console, drawn: Redrawn) -> None:
    """Print a rollout that was drawn again, how it is judged, and what differs."""
    console.note(f"{drawn.rollout_id}, drawn again:")
    console.note(drawn.text)
    if drawn.explanation is not None:
        show_explanation(console, drawn.explanation)
    _show_differences(console, drawn.comparison.differences)
    if not drawn.comparison.differences:
        console.note("equal: its tokens, log-probabilities, text and verdict")


def show_audited(console: Console, found: Audited) -> None:
    """Print what was looked at, and what does not hold."""
    for fault in found.faults[:_MOST]:
        console.note(f"broken: {fault}")
    if len(found.faults) > _MOST:
        console.note(f"and {len(found.faults) - _MOST:,} more")
    looked = (
        f"{found.steps:,} steps, {found.rollouts:,} rollouts and {found.checkpoints} checkpoints"
    )
    console.note(f"{looked}: " + ("broken" if found.faults else "all holds"))
