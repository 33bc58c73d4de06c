"""Hold a problem's answer against its own solution: the text's, or the reference program's.

The report keeps a problem only if the answer found in its solution equals the given one, and a
program's tests only if the given solution passes all of them. One object for a process, for the
verifier has processes below it. Called by `steps`.
"""

from __future__ import annotations

import json
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
        self._verifier = Verifier(unboxed=True)
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
        texts = [
            place
            for place, one in enumerate(candidates)
            if not one.is_code and one.solution.strip() and self._config.solutions != "ignore"
        ]
        verdicts = self._verifier.verify_batch([_item(candidates[place]) for place in texts])
        for place, verdict in zip(texts, verdicts, strict=True):
            faults[place] = _solution_fault(verdict)
        compared = len(texts)
        for place, one in enumerate(candidates):
            if one.is_code and self._config.references == "run":
                faults[place] = self._reference_fault(one)
                compared += bool(one.solution)
            elif not one.is_code and not one.solution.strip():
                faults[place] = self._missing()
        return Checked(faults=faults, compared=compared)

    def _missing(self) -> Fault | None:
        if self._config.solutions != "required":
            return None
        return Fault(reason=Reason.NO_SOLUTION, detail="the source gives none")

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
    if one[:1] == "{" or two[:1] == "{":
        return False
    findings = [
        judge_fast(gold, answer.text) for gold in read_golds(one) for answer in read_golds(two)
    ]
    if any(found is not None and found.status is Status.CORRECT for found in findings):
        return True
    return None if None in findings else False


def _item(one: Candidate) -> VerifyItem:
    return VerifyItem(task=Task(kind=Kind.MATH, answer=one.answer), response=one.solution)


def _solution_fault(verdict: Verdict) -> Fault | None:
    if verdict.status is Status.CORRECT:
        return None
    if verdict.status in (Status.NO_ANSWER, Status.EMPTY_BOX):
        return Fault(reason=Reason.NO_SOLUTION, detail="the given solution has no final answer")
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
