"""Hold a problem's answer against its own solution: the text's, or the reference program's.

The report keeps a problem only if the answer found in its solution equals the given one, and a
program's tests only if the given solution passes all of them. One object for a process, for the
verifier has processes below it. Called by `steps`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from reasonrl.curation.recipe import CleanConfig
from reasonrl.curation.rows import Candidate, Fault, Reason
from reasonrl.types import FAILED_STATUSES, Kind, Status, Task, Verdict
from reasonrl.verify import CodeOptions, Verifier, VerifyItem
from reasonrl.verify.answer import judge_fast, read_golds
from reasonrl.verify.code.verdict import Program, ProgramJudge
from reasonrl.verify.extract import last_box

_DEADLINE_S = 10.0  # of one answer: what is kept must not depend on how busy a machine is
_FINAL = re.compile(
    r"answer(?: is|:)\s*:?\s*\**\s*(\$[^$\n]{1,200}\$|[^\s$][^\n$.;]{0,60})", re.IGNORECASE
)
_PROGRAMS = 3  # given programs that are tried until one passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Hold the faults of some candidates, None where there is none, and how many were compared."""

    faults: list[Fault | None]
    compared: int


class AnswerChecker:
    """Compare answers with solutions; a context manager that ends the verifier's processes."""

    def __init__(self, config: CleanConfig) -> None:
        self._config = config
        self._verifier = Verifier(deadline_s=_DEADLINE_S)
        options = CodeOptions(problem_s=config.reference_s, stop_early=True)
        self._programs = ProgramJudge(options, workers=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._verifier.close()
        self._programs.close()

    def check(self, candidates: Sequence[Candidate]) -> Checked:
        """Return the fault of each candidate, in order."""
        faults: list[Fault | None] = [None] * len(candidates)
        wants_text = self._config.solutions != "ignore"
        finals = {
            place: final
            for place, one in enumerate(candidates)
            if wants_text and not one.is_code and (final := _final_answer(one.solution))
        }
        texts = list(finals)
        verdicts = self._verifier.verify_batch(
            [_item(candidates[place], finals[place]) for place in texts]
        )
        for place, verdict in zip(texts, verdicts, strict=True):
            faults[place] = _solution_fault(verdict)
        compared = len(texts)
        for place, one in enumerate(candidates):
            if one.is_code and self._config.references == "run":
                faults[place] = self._reference_fault(one)
                compared += bool(one.solution)
            elif not one.is_code and place not in finals:
                faults[place] = self._missing(one)
        return Checked(faults=faults, compared=compared)

    def _missing(self, one: Candidate) -> Fault | None:
        if self._config.solutions != "required":
            return None
        detail = "it marks no final answer" if one.solution.strip() else "the source gives none"
        return Fault(reason=Reason.NO_SOLUTION, detail=detail)

    def _reference_fault(self, one: Candidate) -> Fault | None:
        programs = _programs(one.solution)
        if not programs:
            return Fault(reason=Reason.NO_SOLUTION, detail="no reference program")
        verdicts = []
        for code in programs[:_PROGRAMS]:
            verdicts += self._programs.judge([Program(code=code, answer=one.answer)], None)
            if verdicts[-1].status is Status.PASS:
                return None
        last = verdicts[0]
        return Fault(reason=Reason.REFERENCE_FAILS, detail=f"{last.status}: {last.reason}"[:200])


def is_same_answer(one: str, two: str) -> bool | None:
    """Say whether two answer keys of mathematics accept each other, None if that is undecided.

    Decided without algebra, so that millions of pairs can be asked for. Keys with tests are texts.
    """
    if one == two:
        return True
    if one[:1] == "{" or two[:1] == "{":  # other tests of a program do not contradict
        return None
    findings = [
        judge_fast(gold, answer.text) for gold in read_golds(one) for answer in read_golds(two)
    ]
    if any(found is not None and found.status is Status.CORRECT for found in findings):
        return True
    return None if None in findings else False


def _final_answer(solution: str) -> str:
    """Return the part of a solution that marks its final answer, as a box; empty if none does.

    A solution's last number is no answer: it may end with when equality holds.
    """
    if (boxed := last_box(solution)) is not None:
        return f"\\boxed{{{boxed}}}"
    said = _FINAL.findall(solution)
    return f"\\boxed{{{said[-1].strip(' *$')}}}" if said else ""


def _item(one: Candidate, final: str) -> VerifyItem:
    return VerifyItem(task=Task(kind=Kind.MATH, answer=one.answer), response=final)


def _solution_fault(verdict: Verdict) -> Fault | None:
    if verdict.status is Status.CORRECT:
        return None
    if verdict.status in (Status.NO_ANSWER, Status.EMPTY_BOX):
        return Fault(reason=Reason.NO_SOLUTION, detail="its final answer is empty")
    if verdict.status in FAILED_STATUSES:
        return Fault(reason=Reason.NOT_JUDGED, detail=f"{verdict.status}: {verdict.reason}"[:200])
    detail = f"the solution ends with {verdict.extracted[:120]} ({verdict.status})"
    return Fault(reason=Reason.SOLUTION_DISAGREES, detail=detail)


def _programs(solution: str) -> list[str]:
    try:
        found = json.loads(solution) if solution else []
    except (ValueError, RecursionError):
        return [solution]
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else [solution]
