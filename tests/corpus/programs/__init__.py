"""Programs with labels: right, wrong, cheating, hostile. Every one is text until it is sandboxed.

A file holds programs headed by `=== task name STATUS`; the status is left out where only the reward
counts, which is 1 for the right ones and 0 for all others. The tasks are in tasks.json.
"""

import json
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from reasonrl.types import Kind, Task
from reasonrl.verify import VerifyItem

HERE = Path(__file__).parent
KINDS = ("right", "wrong", "cheating", "hostile")
LIMITS = {"time_s": 1.5, "memory_mb": 256}
PATIENT = {"time_s": 10, "memory_mb": 512}  # for right programs, on a busy machine


@dataclass(frozen=True)
class Program:
    """Hold a labelled program."""

    kind: str
    task: str
    name: str
    code: str
    status: str  # "" or "*" where any that says no will do

    @property
    def reward(self) -> float:
        return float(self.kind == "right")

    @property
    def item(self) -> VerifyItem:
        limits = PATIENT if self.kind == "right" else LIMITS
        tests = {**_TASKS[self.task], "limits": limits}
        response = f"<think>hm</think>\nHere it is:\n```python\n{self.code}```\nDone."
        return VerifyItem(task=Task(kind=Kind.CODE, answer=json.dumps(tests)), response=response)

    def __str__(self) -> str:
        return f"{self.kind}-{self.task}-{self.name}"


def read_programs() -> list[Program]:
    return [program for kind in KINDS for program in _read(kind)]


def mixed(n_runs: int) -> list[Program]:
    """Return programs for a soak: every hostile one once, the rest quick ones over and over."""
    slow = ("endless", "sleep", "deadlock", "waits", "numpy")
    programs = read_programs()
    hostile = [one for one in programs if one.kind == "hostile"]
    quick = [
        one
        for one in programs
        if one.kind != "hostile" and one.task != "deep" and not any(w in one.name for w in slow)
    ]
    return [*islice(cycle(quick), n_runs - len(hostile)), *hostile]


def _read(kind: str) -> list[Program]:
    text = (HERE / f"{kind}.txt").read_text(encoding="utf-8")
    found = []
    for part in text.split("=== ")[1:]:
        head, _, code = part.partition("\n")
        task, name, *status = head.split()
        found.append(Program(kind, task, name, code, status[0] if status else ""))
    return found


_TASKS = json.loads((HERE / "tasks.json").read_text(encoding="utf-8"))
