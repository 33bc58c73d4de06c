"""Compare a problem's answer with its own solution: a worked text, or a reference program.

The report keeps a problem only if the answer extracted from its solution equals the given answer,
and a program's tests only if the given solution passes all of them.
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
from reasonrl.verify.math.answer import judge_fast
from reasonrl.verify.math.golds import read_golds

_DEADLINE_S = 10.0
"""For each answer. It is generous, because the kept rows must not depend on a machine's load."""
_FINAL = re.compile(
    r"answer(?: is|:)\s*:?\s*\**\s*(\$[^$\n]{1,200}\$|[^\s$][^\n$.;]{0,60})", re.IGNORECASE
)
_PROGRAMS = 3  # reference programs of a problem that are tried until one passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The faults of candidates, None for a candidate without fault, and the number compared."""

    faults: list[Fault | None]
    compared: int


def check_answers(candidates: Sequence[Candidate], config: CleanConfig) -> Checked:
    """Compare answers with solutions; its worker processes have ended when it returns."""
    finals = {
        index: final
        for index, row in enumerate(candidates)
        if config.solutions != "ignore" and not row.is_code
        if (final := _final_answer(row.solution))
    }
    options = CodeOptions(problem_s=config.reference_s, stop_early=True)
    with (
        Verifier(deadline_s=_DEADLINE_S) as verifier,
        closing(ProgramJudge(options, workers=1)) as programs,
    ):
        verdicts = verifier.verify_batch(
            [_item(candidates[index], final) for index, final in finals.items()]
        )
        judged = dict(zip(finals, verdicts, strict=True))
        faults = [
            _reference_fault(row, config, programs)
            if row.is_code
            else _solution_fault(judged[index])
            if index in judged
            else _missing(row, config)
            for index, row in enumerate(candidates)
        ]
    runs = config.references == "run"
    references = sum(row.is_code and runs and bool(row.solution) for row in candidates)
    return Checked(faults=faults, compared=len(finals) + references)


def _missing(row: Candidate, config: CleanConfig) -> Fault | None:
    if config.solutions != "required":
        return None
    detail = "it marks no final answer" if row.solution.strip() else "the source gives none"
    return Fault(reason=Reason.NO_SOLUTION, detail=detail)


def _reference_fault(row: Candidate, config: CleanConfig, judge: ProgramJudge) -> Fault | None:
    if config.references != "run":
        return None
    programs = _programs(row.solution)
    if not programs:
        return Fault(reason=Reason.NO_SOLUTION, detail="no reference program")
    verdicts: list[Verdict] = []
    for code in programs[:_PROGRAMS]:
        verdicts += judge.judge([Program(code=code, answer=row.answer)], None)
        if verdicts[-1].status is Status.PASS:
            return None
    unjudged = [verdict for verdict in verdicts if verdict.reward is None]
    shown = (unjudged or verdicts)[0]
    reason = Reason.NOT_JUDGED if unjudged else Reason.REFERENCE_FAILS
    return Fault(reason=reason, detail=f"{shown.status}: {shown.reason}"[:200])


def is_tests(answer: str) -> bool:
    """Return whether an answer key holds the tests of a program."""
    return answer.startswith("{")


def is_same_answer(left: str, right: str) -> bool | None:
    """Return whether two answer keys of mathematics accept each other, None if undecided.

    It uses no algebra, so that millions of pairs can be compared. Keys that hold the tests of a
    program are compared as texts only: different tests do not contradict each other.
    """
    if left == right:
        return True
    if is_tests(left) or is_tests(right):
        return None
    findings = [
        judge_fast(gold, answer.text) for gold in read_golds(left) for answer in read_golds(right)
    ]
    if any(finding is not None and finding.status is Status.CORRECT for finding in findings):
        return True
    return None if None in findings else False


def _final_answer(solution: str) -> str:
    """Return the final answer that a solution marks, in a box; empty if it marks none.

    The last number of a solution is not taken for its answer: the text may end with a remark, such
    as the case of equality.
    """
    if (boxed := last_box(solution)) is not None:
        return f"\\boxed{{{boxed}}}"
    said = _FINAL.findall(solution)
    return f"\\boxed{{{said[-1].strip(' *$')}}}" if said else ""


def _item(row: Candidate, final: str) -> VerifyItem:
    return VerifyItem(task=Task(kind=Kind.MATH, answer=row.answer), response=final)


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
    """Return the reference programs in a solution: a JSON list of them, or one bare program."""
    try:
        programs = json.loads(solution) if solution else []
    except (ValueError, RecursionError):
        return [solution]
    if not isinstance(programs, list):
        return [solution]
    return [program for program in programs if isinstance(program, str)]
