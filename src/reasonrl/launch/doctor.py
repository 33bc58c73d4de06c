"""The doctor beside a run: each step's findings as lines, and an end where a run is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reasonrl.diagnosis.doctor import examine, found_now
from reasonrl.diagnosis.facts import Facts
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.errors import LostRunError
from reasonrl.recipe import Recipe
from reasonrl.run.layout import checkpoint_before, step_of
from reasonrl.run.prescriptions import command_for
from reasonrl.types import Row

_QUIET = 10
"""Steps without a rule's finding after which it is told again."""


class Watch:
    """A callback of each step that tells what the rules find, and asks for an end by `stop_on`.

    `rows` are the steps before. A finding is told once, and again after some steps without it.
    `lost` is the finding that ended the run.
    """

    def __init__(
        self,
        recipe: Recipe,
        rows: Sequence[Row],
        read: Callable[[], Facts],
        note: Callable[[str], None],
    ) -> None:
        self._recipe, self._read, self._note = recipe, read, note
        self._rows, self._last_told = list(rows), dict[str, int]()
        self.lost: RunFinding | None = None
        graves = [one for one in examine(recipe, self._rows, read()) if one.is_grave]
        self._first_grave = min((one.since_step for one in graves), default=None)

    def __call__(self, metrics: Row) -> bool:
        self._rows.append(metrics)
        now = len(self._rows)
        for finding in found_now(self._recipe, self._rows, self._read()):
            told = self._last_told.get(finding.rule)
            if told is None or now - told > _QUIET:
                self._note(f"doctor: {finding.sentence}")
            self._last_told[finding.rule] = now
            if finding.is_grave and self._first_grave is None:
                self._first_grave = finding.since_step
            if finding.rule in self._recipe.doctor.stop_on:
                self.lost = self.lost or finding
        return self.lost is not None

    def pinned(self, run: Path) -> int | None:
        """Return the newest checkpoint before the first grave finding: a cure begins there."""
        if self._first_grave is None:
            return None
        before = checkpoint_before(run, self._first_grave)
        return None if before is None else step_of(before)

    def check_lost(self, run: Path) -> None:
        """Raise LostRunError when a finding has ended the run."""
        if self.lost is None:
            return
        cure = command_for(run, self.lost)
        raise LostRunError(
            self.lost.claim,
            where=f"{run}, ended by doctor.stop_on",
            expected=f"no finding of the rule {self.lost.rule}",
            remedy=(f"cure: `{cure}`; " if cure else "")
            + f"to go on as it is: `reasonrl resume {run} --set doctor.stop_on=[]`",
        )
