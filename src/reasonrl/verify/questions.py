"""From a response to the question that is left to decide: read it, and compare exactly."""

from __future__ import annotations

from dataclasses import dataclass

from reasonrl.types import Status, StopReason, VerifyItem
from reasonrl.verify.code.verdict import Program, read_program
from reasonrl.verify.extract import answer_part, final_answer, has_box
from reasonrl.verify.finding import Finding
from reasonrl.verify.math.answer import judge_fast, worker_texts
from reasonrl.verify.math.bound import MAX_ANSWER_CHARS, size_fault
from reasonrl.verify.math.golds import Gold, read_golds
from reasonrl.verify.math.notation import clean
from reasonrl.verify.prose import last_number

# A response of 32k tokens has about 100,000 characters.
MAX_RESPONSE_CHARS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The golds of a task, and the answer of a response as written and cleaned."""

    golds: tuple[Gold, ...]
    extracted: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question for a worker: whether any of the clean golds matches the clean answer.

    With `is_gold_read` a gold is known to be mathematics, so an unreadable side is the answer's.
    """

    golds: tuple[str, ...]
    answer: str
    is_gold_read: bool = False


def second_question(asked: Finding | Asked, *, of_key: bool = False) -> Question | None:
    """Return the question that asks math-verify again; None where it has judged or cannot.

    `of_key` asks in any case: the answer is the key itself.
    """
    if isinstance(asked, Finding):
        return None
    if not of_key and isinstance(compare(asked.golds, asked.answer), Question):
        return None
    usable = tuple(gold.text for gold in asked.golds if not gold.fault)
    return None if size_fault(asked.answer) else Question(golds=usable, answer=asked.answer)


def key_question(answer: str) -> Question | None:
    """Return the question whether a key is known to algebra; None for a key that is read here.

    Asked where a response has no answer: an unreadable key is never a reason for reward 0.
    """
    golds = read_golds(answer)
    if any(gold.is_read and not gold.fault for gold in golds):
        return None
    usable = tuple(gold.text for gold in golds if not gold.fault)
    return Question(golds=usable, answer=usable[0]) if usable else None


def read_item(item: VerifyItem, *, unboxed: bool) -> Finding | Asked:
    """Return the golds and the answer, or a finding that says why there is no answer."""
    part = _graded_part(item)
    if isinstance(part, Finding):
        return part
    golds = read_golds(item.task.answer)
    if not golds:
        return Finding(status=Status.GOLD_UNPARSABLE, reason="the gold is empty")
    is_numeric = any(gold.number is not None for gold in golds)
    if has_box(part):
        extracted, missing = final_answer(part), "an incomplete box"
    elif unboxed and is_numeric:
        extracted, missing = last_number(part), "no box and no final number"
    else:
        extracted, missing = None, "no box"
    if extracted is None:
        return Finding(status=Status.NO_ANSWER, reason=missing)
    if len(extracted) > MAX_ANSWER_CHARS:
        return Finding(status=Status.TOO_LARGE, reason=size_fault(extracted))
    if not (answer := clean(extracted)):
        return Finding(status=Status.EMPTY_BOX, reason="nothing in the box")
    return Asked(golds=golds, extracted=extracted, answer=answer)


def read_code(item: VerifyItem) -> Finding | Program:
    """Return the program of a response, or a finding that says why there is nothing to run."""
    part = _graded_part(item)
    return part if isinstance(part, Finding) else read_program(item.task.answer, part)


def _graded_part(item: VerifyItem) -> str | Finding:
    """Return the graded part of a response, or a finding that says why nothing is graded."""
    if item.stop_reason is StopReason.LENGTH:
        return Finding(status=Status.TRUNCATED, reason="the token limit cut the response off")
    if len(item.response) > MAX_RESPONSE_CHARS:
        return Finding(status=Status.TOO_LARGE, reason="the response is too long")
    if (part := answer_part(item.response, opens_thought=item.opens_thought)) is None:
        return Finding(status=Status.TRUNCATED, reason="a <think> is still open")
    return part


def judge_key(answer: str) -> None:
    """Judge each gold of a key against itself; raises what the verifier raises for the key."""
    golds = read_golds(answer)
    for gold in golds:
        compare(golds, gold.text)


def compare(golds: tuple[Gold, ...], answer: str) -> Finding | Question:
    """Compare an answer with every gold: CORRECT wins over undecided, undecided over WRONG."""
    findings = [(gold, judge_fast(gold, answer)) for gold in golds]
    decided = [finding for _, finding in findings if finding is not None]
    right = next((finding for finding in decided if finding.status is Status.CORRECT), None)
    if right is not None:
        return right
    open_golds = [gold for gold, finding in findings if finding is None]
    if not open_golds:
        return decided[0]
    if fault := size_fault(answer):
        return Finding(status=Status.TOO_LARGE, reason=fault)
    usable = [gold for gold in open_golds if not gold.fault]
    if not usable:
        return Finding(status=Status.GOLD_UNPARSABLE, reason=f"the gold has {open_golds[0].fault}")
    texts = [worker_texts(gold, answer) for gold in usable]
    asked = {given for _, given in texts}
    return Question(
        golds=tuple(gold for gold, _ in texts),
        answer=asked.pop() if len(asked) == 1 else answer,
        is_gold_read=any(gold.is_read for gold in usable),
    )
