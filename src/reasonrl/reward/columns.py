"""Scores as columns of a Parquet file: `reward/NAME` for each component, and their notes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reasonrl.types import Score

COMPONENT, NOTES = "reward/", "reward_notes"
"""The prefix of a component's column, and the column of all notes, a JSON object by name."""


def columns_of(scores: Mapping[str, Score] | None) -> dict[str, float | str | None]:
    """Return the columns of a rollout's scores; none for a recipe without components."""
    if scores is None:
        return {}
    notes = {name: score.note for name, score in scores.items() if score.note}
    return {
        **{f"{COMPONENT}{name}": score.value for name, score in scores.items()},
        NOTES: json.dumps(notes) if notes else None,
    }


def scores_of(row: Mapping[str, object]) -> dict[str, Score] | None:
    """Return the scores of a row, without notes; None for a recipe without components."""
    scores = {
        name.removeprefix(COMPONENT): Score(value=None if value is None else float(str(value)))
        for name, value in row.items()
        if name.startswith(COMPONENT)
    }
    return scores or None
