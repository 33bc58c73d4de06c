"""The code verifier: accuracy on labelled programs, cost of isolation, overshoot, and a soak test.

Accuracy is measured on the corpus in tests/corpus/programs, which the verifier was built with: it
shows that no known case is wrong, not the accuracy on programs without a label. Speed alternates
with one unprotected `python` process per test on the same inputs; both use one process at a time.
`-I -S` is the smallest interpreter, which cannot import any package.

    python -m benchmarks.verify_code [--repeats 5] [--soak 10000] [--json PATH]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from tests.corpus.programs import KINDS, mixed, read_programs

from benchmarks.common import Row, describe_machine, longest_pause_ms, print_table, spread
from reasonrl.types import Kind, Task
from reasonrl.verify import Verifier, VerifyItem

SUM = "a, b = map(int, input().split())\nprint(a + b)"
ADD = "def add(a, b):\n    return a + b"
STEM = {"import_prefix": "from typing import *\n", "entry_point": "add"}
LIMIT_S = 1.0


def scripts(n: int) -> dict[str, object]:
    return {"inputs": [f"{i} 1\n" for i in range(n)], "outputs": [str(i + 1) for i in range(n)]}


def calls(n: int) -> dict[str, object]:
    return {"fn_name": "add", **scripts(n), "inputs": [f"{i}\n1" for i in range(n)]}


def check(n: int) -> dict[str, object]:
    asserts = "".join(f"    assert candidate({i}, 1) == {i + 1}\n" for i in range(n))
    return {**STEM, "test_code": "def check(candidate):\n" + asserts}


def item(tests: dict[str, object], code: str) -> VerifyItem:
    answer = json.dumps(tests)
    return VerifyItem(task=Task(kind=Kind.CODE, answer=answer), response=f"```python\n{code}\n```")


def accuracy(verifier: Verifier) -> list[Row]:
    """Return the number of misjudged programs by kind of program."""
    rows: list[Row] = []
    for kind in KINDS:
        programs = [program for program in read_programs() if program.kind == kind]
        start = time.perf_counter()
        verdicts = verifier.verify_batch([program.item for program in programs])
        wall_s = time.perf_counter() - start
        wrong = [
            str(program)
            for program, verdict in zip(programs, verdicts, strict=True)
            if verdict.reward != program.reward
        ]
        rows.append(
            {
                "programs": kind,
                "number": len(programs),
                "misjudged": len(wrong),
                "wall s": f"{wall_s:.1f}",
                "which": ", ".join(wrong) or "-",
            }
        )
    return rows


def speed(verifier: Verifier, repeats: int) -> list[Row]:
    """Return the times of problems and of plain interpreters, measured alternately."""
    work: dict[str, tuple[Callable[[], object], str]] = {
        "3 tests, a script each": (ask(verifier, scripts(3), SUM), "40"),
        "3 tests, calls": (ask(verifier, calls(3), ADD), "40"),
        "3 tests, check(candidate)": (ask(verifier, check(3), ADD), "40"),
        "100 tests, a script each": (ask(verifier, scripts(100), SUM), "1500"),
        "100 tests, calls": (ask(verifier, calls(100), ADD), "1500"),
        "100 tests, `python` each": (lambda: plain(100, []), ""),
        "100 tests, `python -I -S` each": (lambda: plain(100, ["-I", "-S"]), ""),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, (call, _) in work.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return [
        {
            "problem": name,
            "wall ms": spread(times[name]),
            "tests /s": f"{1e3 * int(name.split()[0]) / statistics.median(times[name]):.0f}",
            "goal ms": goal,
        }
        for name, (_, goal) in work.items()
    ]


def ask(verifier: Verifier, tests: dict[str, object], code: str) -> Callable[[], object]:
    asked = item(tests, code)

    def once() -> None:
        verdict = verifier.verify(asked.task, asked.response)
        if verdict.reward != 1.0:
            raise RuntimeError(f"{verdict.status}: {verdict.reason}")

    once()
    return once


def plain(n: int, flags: Sequence[str]) -> None:
    """Run one interpreter per test, without any protection."""
    for number in range(n):
        subprocess.run(
            [sys.executable, *flags, "-c", SUM],
            input=f"{number} 1\n",
            capture_output=True,
            text=True,
            check=True,
        )


def hanging(verifier: Verifier, repeats: int) -> list[Row]:
    """Return the time that hanging programs take beyond their limit, and an event loop's pause."""
    limits = {"limits": {"time_s": LIMIT_S}}
    rows: list[Row] = []
    for name, tests, code in (
        ("spins", scripts(1), "while True: pass"),
        ("sleeps", scripts(1), "import time\ntime.sleep(100)"),
        ("ignores signals", scripts(1), next(p.code for p in read_programs()
                                             if p.name == "ignores_signals")),
        ("forks without end", scripts(1), next(p.code for p in read_programs()
                                               if p.name == "fork_bomb")),
        ("spins in a call", calls(1), "def add(a, b):\n    while True: pass"),
    ):  # fmt: skip
        over = []
        for _ in range(repeats):
            start = time.perf_counter()
            verifier.verify(item(tests | limits, code).task, f"```python\n{code}\n```")
            over.append(1e3 * (time.perf_counter() - start - LIMIT_S))
        rows.append({"what": f"overshoot, {name}, ms", "measured": spread(over), "goal": "500"})
    asked = [program.item for program in read_programs() if program.kind == "cheating"]
    pause = f"{longest_pause_ms(verifier, asked):.0f}"
    rows.append({"what": "longest pause of an event loop, ms", "measured": pause, "goal": "50"})
    return rows


def soak(verifier: Verifier, n_runs: int) -> list[Row]:
    """Judge many programs, some of them hostile, and return the resources left behind."""
    me = psutil.Process()
    programs = mixed(n_runs)
    verifier.verify_batch([program.item for program in programs[:200]])
    gc.collect()
    before = state(me)
    start = time.perf_counter()
    wrong: list[str] = []
    for place in range(0, n_runs, 200):
        part = programs[place : place + 200]
        asked = [
            VerifyItem(task=one.item.task, response=f"{place}\n{one.item.response}") for one in part
        ]
        verdicts = verifier.verify_batch(asked)
        wrong += [
            f"{program} {verdict.status}: {verdict.reason}"
            for verdict, program in zip(verdicts, part, strict=True)
            if verdict.reward != program.reward
        ]
    wall_s = time.perf_counter() - start
    gc.collect()
    after = state(me)
    print(*wrong, sep="\n")
    names = ("processes", "zombies", "descriptors", "MiB of caller and supervisors")
    rows: list[Row] = [
        {"what": f"soak of {n_runs} programs: misjudged", "measured": len(wrong), "goal": "0"},
        {"what": "  programs a second", "measured": f"{n_runs / wall_s:.0f}", "goal": ""},
    ]
    for name, old, new in zip(names, before, after, strict=True):
        goal = "20" if "MiB" in name else "0"
        rows.append({"what": f"  more {name}", "measured": f"{new - old:.1f}", "goal": goal})
    return rows


def state(me: psutil.Process) -> tuple[float, float, float, float]:
    below = me.children(recursive=True)
    ours = [me, *me.children()]
    return (
        len(below),
        sum(one.status() == psutil.STATUS_ZOMBIE for one in below),
        sum(one.num_fds() for one in ours),
        sum(one.memory_info().rss for one in ours) / 2**20,
    )


def main() -> None:
    """Run all parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--soak", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Verifier() as verifier:
        walls = verifier.describe_sandbox()
        tables = {
            "speed": speed(verifier, options.repeats),
            "accuracy": accuracy(verifier),
            "limits": hanging(verifier, options.repeats) + soak(verifier, options.soak),
        }
    print(f"\n{describe_machine()}; sandbox: {walls}")
    for rows in tables.values():
        print_table(rows)
    if options.json:
        options.json.write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
