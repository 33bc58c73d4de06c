"""Labelled cases for the verifiers: each file's head says how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reasonrl.types import Status

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold one labelled case: `label` is a status, `reason` the rule of the policy behind it."""

    label: Status
    reason: str
    gold: str
    response: str
    place: str

    @property
    def is_right(self) -> bool:
        """Say whether the response deserves the reward."""
        return self.label is Status.CORRECT


def math_cases() -> list[Case]:
    """Return all math cases: pairs, whose answers are put in a box, and whole responses."""
    pairs = _read(_HERE / "math_pairs.tsv", box=True)
    return [*pairs, *_read(_HERE / "math_responses.tsv", box=False)]


def _read(path: Path, *, box: bool) -> Iterator[Case]:
    label, reason = Status.WRONG, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith(": "):
            name, _, reason = line.removeprefix(": ").partition("  ")
            label = Status(name)
        elif "\t" in line:
            gold, _, answer = line.partition("\t")
            response = f"The answer is \\boxed{{{answer}}}." if box else answer.replace("¶", "\n")
            place = f"{path.name}:{number}"
            yield Case(label=label, reason=reason, gold=gold, response=response, place=place)
