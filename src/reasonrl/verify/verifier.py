"""Judge responses.

The decisions, cheapest first: the stop reason, the extraction of the answer, exact comparison in
this process, algebra in a worker process. Programs go to a sandbox (`verify.code`). A verdict whose
status is in FAILED_STATUSES carries no reward.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

from reasonrl.errors import VerifierError
from reasonrl.types import (
    Kind,
    Status,
    StopReason,
    Task,
    Verdict,
    VerifyItem,
)
from reasonrl.verify.code.verdict import CodeOptions, Program, ProgramJudge, read_program
from reasonrl.verify.finding import Finding
from reasonrl.verify.net import caught
from reasonrl.verify.pool import Failure, WorkerPool
from reasonrl.verify.questions import (
    Asked,
    Question,
    compare,
    judge_key,
    key_question,
    read_code,
    read_item,
    second_question,
)
from reasonrl.verify.verdicts import Unanswered, verdict_of

DEFAULT_DEADLINE_S = 0.8
"""Deadline of one question in a worker, so that the whole verification takes at most a second."""

_BUDGET = 0.75
"""The share of the deadline that an answer may use as processor time before it is refused."""
_REMEMBERED = 8_192  # findings of workers
_WITHOUT_ANSWER = (Status.NO_ANSWER, Status.TRUNCATED, Status.EMPTY_BOX, Status.TOO_LARGE)


class Verifier:
    """A judge of responses for any thread or event loop, with worker processes of its own.

    Workers start when an answer first needs algebra; integers, decimals and fractions never do.
    Use a verifier as a context manager, or call `close`. With `unboxed` the final number of a
    response without any box is its answer, if a gold is a plain number. `code` says how programs
    are run; their supervisors, as many as `workers`, start with the first program.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        deadline_s: float = DEFAULT_DEADLINE_S,
        memory_mb: int = 2_048,
        unboxed: bool = False,
        code: CodeOptions | None = None,
    ) -> None:
        if workers < 1 or deadline_s <= 0 or memory_mb < 512:
            raise VerifierError(
                f"workers = {workers}, deadline_s = {deadline_s}, memory_mb = {memory_mb}",
                expected="workers >= 1, deadline_s > 0, memory_mb >= 512",
            )
        self._deadline_s = deadline_s
        self._unboxed = unboxed
        self._known = _Memory()
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )
        self._pool = WorkerPool(_judge_in_worker, workers=workers, memory_mb=memory_mb)
        self._programs = ProgramJudge(code or CodeOptions(), workers=workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers and supervisors. Safe to call twice."""
        self._pool.close()
        self._programs.close()

    def describe_sandbox(self) -> str:
        """Start the sandbox of programs and return the description of its strength.

        Raises VerifierError where this machine does not reach the accepted isolation.
        """
        return self._programs.describe()

    def verify(
        self,
        task: Task,
        response: str,
        *,
        stop_reason: StopReason | None = None,
        deadline_s: float | None = None,
    ) -> Verdict:
        """Judge one response.

        The deadline bounds the worker for a mathematical answer, and all tests of a program
        together.
        """
        item = VerifyItem(task=task, response=response, stop_reason=stop_reason)
        return self.verify_batch([item], deadline_s=deadline_s)[0]

    async def averify(
        self,
        task: Task,
        response: str,
        *,
        stop_reason: StopReason | None = None,
        deadline_s: float | None = None,
    ) -> Verdict:
        """Judge one response without blocking the event loop: threads work and wait.

        Only one thread at a time reads answers. Several would delay the loop, because each may hold
        the interpreter for its 5 ms before the loop gets its turn.
        """
        item = VerifyItem(task=task, response=response, stop_reason=stop_reason)
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            first = await asyncio.to_thread(self._judge_here, item)
        if isinstance(first, Verdict):
            return first
        return (await asyncio.to_thread(self._finish, [first], deadline_s))[0]

    def verify_batch(
        self, items: Sequence[VerifyItem], *, deadline_s: float | None = None
    ) -> list[Verdict]:
        """Judge many responses in order. The deadline bounds each item, not the batch.

        Equal questions are asked once; they are common, as the rollouts of a group share a gold.
        """
        return self._finish([self._judge_here(item) for item in items], deadline_s)

    def _finish(
        self, first: Sequence[Verdict | Question | Unanswered | Program], deadline_s: float | None
    ) -> list[Verdict]:
        """Let the workers and supervisors judge the open items, each distinct item once."""
        questions = [part for part in first if isinstance(part, Question)]
        questions += [part.key for part in first if isinstance(part, Unanswered)]
        answers = self._ask(questions, deadline_s)
        programs = list(dict.fromkeys(part for part in first if isinstance(part, Program)))
        judged = dict(zip(programs, self._programs.judge(programs, deadline_s), strict=True))
        verdicts: list[Verdict] = []
        for part in first:
            match part:
                case Verdict():
                    verdicts.append(part)
                case Program():
                    verdicts.append(judged[part])
                case Question():
                    verdicts.append(verdict_of(answers[part], part.answer))
                case Unanswered():
                    verdicts.append(part.verdict_with(answers[part.key]))
        return verdicts

    def second_opinions(
        self, items: Sequence[VerifyItem], *, deadline_s: float | None = None
    ) -> list[Verdict | None]:
        """Judge the items again with math-verify alone; None for those that it judged already.

        math-verify is an independent route: another reader, another algebra. Where the two routes
        disagree about CORRECT, one of them is wrong. Neither is always right, so a person must
        read the disagreement.
        """
        asked = [
            None if item.task.kind is Kind.CODE else second_question(self.read(item))
            for item in items
        ]
        answers = self._ask([part for part in asked if part is not None], deadline_s)
        return [None if part is None else verdict_of(answers[part], part.answer) for part in asked]

    def keys_known_to_algebra(self, keys: Sequence[str]) -> list[bool]:
        """Return whether math-verify reads each key, that is, knows it equal to itself."""
        items = [
            VerifyItem(task=Task(kind=Kind.MATH, answer=key), response=f"\\boxed{{{key}}}")
            for key in keys
        ]
        asked = [second_question(self.read(item), of_key=True) for item in items]
        answers = self._ask([part for part in asked if part is not None], None)
        return [
            part is not None
            and isinstance(finding := answers[part], Finding)
            and finding.status is Status.CORRECT
            for part in asked
        ]

    def read(self, item: VerifyItem) -> Finding | Asked:
        """Return the golds and the answer, or a finding that says why there is no answer."""
        return read_item(item, unboxed=self._unboxed)

    def _judge_here(self, item: VerifyItem) -> Verdict | Question | Unanswered | Program:
        """Judge an item in this process, or return the question or program that is still open."""
        start = time.perf_counter()
        if item.task.kind is Kind.CODE:
            program = caught(
                lambda: read_code(item),
                key_alone=lambda: read_program(item.task.answer, ""),
                blame=Status.COMPILE_ERROR,
            )
            if isinstance(program, Program):
                return program
            return verdict_of(program, "", wall_s=time.perf_counter() - start)
        extracted = ""

        def judge() -> Finding | Question:
            nonlocal extracted
            asked = self.read(item)
            if isinstance(asked, Finding):
                return asked
            extracted = asked.extracted
            return compare(asked.golds, asked.answer)

        result = caught(
            judge, key_alone=lambda: judge_key(item.task.answer), blame=Status.UNPARSABLE
        )
        if isinstance(result, Question):
            return result
        verdict = verdict_of(result, extracted, wall_s=time.perf_counter() - start)
        if result.status in _WITHOUT_ANSWER and (key := key_question(item.task.answer)):
            return Unanswered(verdict=verdict, key=key)
        return verdict

    def _ask(
        self, questions: Sequence[Question], deadline_s: float | None
    ) -> Mapping[Question, Finding | Failure]:
        """Ask the workers each new question once; take known findings from memory."""
        remembered = {question: self._known.get(question) for question in questions}
        known = {question: kept for question, kept in remembered.items() if kept is not None}
        new = [question for question in dict.fromkeys(questions) if question not in known]
        limit_s = self._deadline_s if deadline_s is None else deadline_s
        outcomes = self._pool.run(
            [(q.golds, q.answer, q.is_gold_read, _BUDGET * limit_s) for q in new],
            deadline_s=limit_s,
        )
        answers = dict(zip(new, outcomes, strict=True))
        self._known.remember(answers)
        return known | answers


class _Memory:
    """The findings of workers for the newest `_REMEMBERED` questions; failures are not kept."""

    def __init__(self) -> None:
        self._findings: dict[Question, Finding] = {}

    def get(self, question: Question) -> Finding | None:
        return self._findings.get(question)

    def remember(self, answers: Mapping[Question, Finding | Failure]) -> None:
        """Add the findings, without their cost: a verdict from memory costs nothing."""
        for question, outcome in answers.items():
            if isinstance(outcome, Finding):
                self._findings[question] = replace(outcome, wall_s=0.0, cpu_s=0.0)
        n_surplus = max(0, len(self._findings) - _REMEMBERED)
        for question in list(self._findings)[:n_surplus]:
            self._findings.pop(question, None)


def _judge_in_worker(
    golds: tuple[str, ...], answer: str, is_gold_read: bool, budget_s: float
) -> Finding:
    # This import loads sympy, so it must not happen in the caller's process.
    from reasonrl.verify.math.worker import judge

    return judge(golds, answer, is_gold_read=is_gold_read, budget_s=budget_s)
