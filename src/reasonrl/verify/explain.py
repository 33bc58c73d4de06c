"""Show the steps to one verdict, and the opinion of a second route.

Calls the same functions as `verifier`, one after the other. Called by the command line and by
users.
"""

from __future__ import annotations

from dataclasses import dataclass

from reasonrl.types import Status, StopReason, Verdict, VerifyItem
from reasonrl.verify.extract import answer_part
from reasonrl.verify.finding import Finding
from reasonrl.verify.math.answer import judge_fast
from reasonrl.verify.math.bound import size_fault
from reasonrl.verify.math.golds import Gold
from reasonrl.verify.math.number import read_number
from reasonrl.verify.math.parse import parse
from reasonrl.verify.math.show import show
from reasonrl.verify.questions import Asked
from reasonrl.verify.verifier import Verifier

_JUDGED = frozenset({Status.CORRECT, Status.WRONG, Status.AMBIGUOUS, Status.UNEVALUATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step to a verdict: its name and its result."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The rungs in order, the verdict, and the second route's verdict if it has one."""

    rungs: tuple[Rung, ...]
    verdict: Verdict
    second: Verdict | None

    @property
    def is_disputed(self) -> bool:
        """Return whether the two routes disagree about CORRECT."""
        return is_disputed(self.verdict, self.second)


def is_disputed(verdict: Verdict, second: Verdict | None) -> bool:
    """Return whether the second route disagrees; a route that could not judge does not."""
    if second is None or second.status not in _JUDGED:
        return False
    return (verdict.status is Status.CORRECT) != (second.status is Status.CORRECT)


def explain(verifier: Verifier, item: VerifyItem) -> Explanation:
    """Judge one response and show every rung. Raises VerifierError as `Verifier.verify` does."""
    verdict = verifier.verify_batch([item])[0]
    rungs = [Rung(name="stop reason", text=_stop(item.stop_reason)), _thought(item.response)]
    asked = verifier.read(item)
    if isinstance(asked, Finding):
        rungs.append(Rung(name="answer", text=asked.reason))
    else:
        rungs += _read(asked)
    final = f"{verdict.status}, reward {'none' if verdict.reward is None else verdict.reward}"
    rungs.append(Rung(name="verdict", text=f"{final} {verdict.reason}".strip()))
    second = verifier.second_opinions([item])[0]
    explanation = Explanation(rungs=tuple(rungs), verdict=verdict, second=second)
    rungs.append(Rung(name="second route", text=_opinion(explanation)))
    return Explanation(rungs=tuple(rungs), verdict=verdict, second=second)


def _stop(reason: StopReason | None) -> str:
    return "not given" if reason is None else str(reason)


def _thought(response: str) -> Rung:
    part = answer_part(response)
    if part is None:
        return Rung(name="thought", text="not closed: </think> is missing")
    n_thought = len(response) - len(part)
    ignored = f"{n_thought} characters, ignored" if n_thought else "none"
    return Rung(name="thought", text=f"{ignored}; graded: {len(part)} characters")


def _read(asked: Asked) -> list[Rung]:
    rungs = [
        Rung(name="answer", text=asked.extracted),
        Rung(name="  clean", text=asked.answer),
        Rung(name="  read as", text=_reading(asked.answer)),
    ]
    for gold in asked.golds:
        rungs += [
            Rung(name="gold", text=gold.text),
            Rung(name="  read as", text=_words(gold) or _reading(gold.text)),
            Rung(name="  decided", text=_decision(judge_fast(gold, asked.answer))),
        ]
    return rungs


def _reading(text: str) -> str:
    """Return the kind of a text and the way it is understood."""
    if fault := size_fault(text):
        return f"too large: {fault}"
    if (number := read_number(text)) is not None:
        kind = "exact number" if number.decimals is None else "decimal number"
        return f"{kind}: {number.value} {number.unit}".rstrip()
    if (tree := parse(text)) is None:
        return "unknown notation here; only math-verify may read it"
    return f"{type(tree).__name__.lower()}: {show(tree)}"


def _words(gold: Gold) -> str:
    if gold.words is None:
        return ""
    if gold.words.choices:
        return f"choice: {', '.join(sorted(gold.words.choices))}"
    return f"words: {gold.words.phrase}"


def _decision(finding: Finding | None) -> str:
    if finding is None:
        return "undecided here; math-verify decides in a worker"
    return f"{finding.status} {finding.reason}".rstrip()


def _opinion(explanation: Explanation) -> str:
    second = explanation.second
    if second is None:
        return "none: math-verify decided already, or there was nothing to compare"
    if explanation.is_disputed:
        return f"math-verify DISAGREES: {second.status} {second.reason}".rstrip()
    if second.status not in _JUDGED:
        return f"math-verify cannot judge: {second.status} {second.reason}".rstrip()
    return "math-verify agrees"
