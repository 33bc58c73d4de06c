"""Answer keys that no verifier can read: found before a run, not one masked rollout after another.

A key is usable if some reader knows it: words, numbers, mathematics, math-verify, or the shapes of
tests. Whether it is the right answer is another question. Called by `launch.check_keys`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.types import FAILED_STATUSES, Kind, Status, Task
from reasonrl.verify.code.verdict import Program, read_program
from reasonrl.verify.finding import Finding
from reasonrl.verify.math.golds import read_golds
from reasonrl.verify.net import caught
from reasonrl.verify.verifier import Verifier


def key_faults(tasks: Sequence[Task], verifier: Verifier) -> list[str]:
    """Return, for each task, why its key cannot be used; empty where it can."""
    faults = [_fault_here(task) for task in tasks]
    unsure = [at for at, fault in enumerate(faults) if fault is None]
    answers = verifier.keys_known_to_algebra([tasks[at].answer for at in unsure])
    for at, is_known in zip(unsure, answers, strict=True):
        faults[at] = (
            "" if is_known else "no reader knows this key: only the same text will be right"
        )
    return [fault or "" for fault in faults]


def _fault_here(task: Task) -> str | None:
    """Return the fault of a key that this process can see; None if only a worker can tell."""
    outcome = caught(
        lambda: _read_key(task), key_alone=lambda: _read_key(task), blame=Status.INFRA_ERROR
    )
    return outcome.reason if isinstance(outcome, Finding) else outcome


def _read_key(task: Task) -> str | None:
    if task.kind is Kind.CODE:
        # A response without a program leaves only the tests to be read.
        program = read_program(task.answer, "")
        if isinstance(program, Program) or program.status not in FAILED_STATUSES:
            return ""
        return program.reason or "the tests cannot be read"
    golds = read_golds(task.answer)
    if not golds:
        return "the key is empty"
    if any(gold.is_read and not gold.fault for gold in golds):
        return ""
    faults = [gold.fault for gold in golds if gold.fault]
    return f"the key has {faults[0]}" if len(faults) == len(golds) else None
