"""Hold a problem's answer against its own solution: the text's, or the reference program's.

The report keeps a problem only if the answer found in its solution equals the given one, and a
program's tests only if the given solution passes all of them. Called by `steps`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from reasonrl.curation.recipe import CleanConfig
from reasonrl.curation.rows import Candidate, Fault, Reason
from reasonrl.types import FAILED_STATUSES, Kind, Status, Task, Verdict
from reasonrl.verify import CodeOptions, Verifier, VerifyItem
from reasonrl.verify.code.verdict import Program, ProgramJudge
from reasonrl.verify.extract import last_box
from reasonrl.verify.math.answer import judge_fast, read_golds

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


def check_answers(candidates: Sequence[Candidate], config: CleanConfig) -> Checked:
    """Hold answers against solutions; processes that this takes have ended when it returns."""
    finals = {
        place: final
        for place, one in enumerate(candidates)
        if config.solutions != "ignore" and not one.is_code
        if (final := _final_answer(one.solution))
    }
    options = CodeOptions(problem_s=config.reference_s, stop_early=True)
    with (
        Verifier(deadline_s=_DEADLINE_S) as verifier,
        closing(ProgramJudge(options, workers=1)) as programs,
    ):
        verdicts = verifier.verify_batch(
            [_item(candidates[place], final) for place, final in finals.items()]
        )
        judged = dict(zip(finals, verdicts, strict=True))
        faults = [
            _reference_fault(one, config, programs)
            if one.is_code
            else _solution_fault(judged[place])
            if place in judged
            else _missing(one, config)
            for place, one in enumerate(candidates)
        ]
    runs = config.references == "run"
    references = sum(one.is_code and runs and bool(one.solution) for one in candidates)
    return Checked(faults=faults, compared=len(finals) + references)


def _missing(one: Candidate, config: CleanConfig) -> Fault | None:
    if config.solutions != "required":
        return None
    detail = "it marks no final answer" if one.solution.strip() else "the source gives none"
    return Fault(reason=Reason.NO_SOLUTION, detail=detail)


def _reference_fault(one: Candidate, config: CleanConfig, judge: ProgramJudge) -> Fault | None:
    if config.references != "run":
        return None
    programs = _programs(one.solution)
    if not programs:
        return Fault(reason=Reason.NO_SOLUTION, detail="no reference program")
    verdicts: list[Verdict] = []
    for code in programs[:_PROGRAMS]:
        verdicts += judge.judge([Program(code=code, answer=one.answer)], None)
        if verdicts[-1].status is Status.PASS:
            return None
    unjudged = [one for one in verdicts if one.reward is None]
    shown = (unjudged or verdicts)[0]
    reason = Reason.NOT_JUDGED if unjudged else Reason.REFERENCE_FAILS
    return Fault(reason=reason, detail=f"{shown.status}: {shown.reason}"[:200])


def is_tests(answer: str) -> bool:
    """Say whether an answer key holds the tests of a program."""
    return answer.startswith("{")


def is_same_answer(one: str, two: str) -> bool | None:
    """Say whether two answer keys of mathematics accept each other, None if that is undecided.

    Decided without algebra, so that millions of pairs can be asked for. Keys with tests are texts.
    """
    if one == two:
        return True
    if is_tests(one) or is_tests(two):  # other tests of a program do not contradict
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
