"""The math verifier beside math-verify: accuracy, throughput, and the cost of hostile input.

Accuracy is measured on the labelled corpus in tests/corpus. The verifier was built with it, so its
figure shows that no known case is wrong, not the accuracy on answers without a label. math-verify
runs twice: `default` as in its README, and `best` with every gold answer in a box, only boxes read,
and only the text after the thought. The throughputs are measured alternately, with different
questions in every turn, and include the CPU-seconds of the workers.

    python -m benchmarks.verify_math [--repeats 5] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import psutil
from math_verify import LatexExtractionConfig, parse
from math_verify import verify as mv_verify
from tests.corpus import Case, math_cases
from tests.corpus.mixed import BOMBS, item, items, mixed

from benchmarks.common import Row, describe_machine, longest_pause_ms, print_table
from reasonrl.types import Kind, Task
from reasonrl.verify import DEFAULT_DEADLINE_S, Verifier, VerifyItem
from reasonrl.verify.extract import answer_part

PER_TURN = {"integers": 2_000, "light": 800, "symbolic": 300, "by a worker": 20}
PER_TURN_PEER = {"integers": 100, "light": 40, "symbolic": 15, "by a worker": 10}
GOALS = {"integers": 5_000, "light": 1_000, "symbolic": 150, "by a worker": 0}
PEER_BOMBS = ("9^{9^{9}}", r"(\hbar + 1)^{999}", "1+" * 1990 + "1")
_BOXES = [LatexExtractionConfig(boxed_match_priority=0)]

Judge = Callable[[str, str], bool]


def mv_default(gold: str, response: str) -> bool:
    """Return math-verify's verdict, called as in its documentation."""
    try:
        return bool(mv_verify(parse(f"${gold}$"), parse(response)))
    except Exception:  # noqa: BLE001 - every caller of math-verify would have to do the same
        return False


def mv_best(gold: str, response: str) -> bool:
    """Return math-verify's verdict on boxed gold answers and the box after the thought."""
    part = answer_part(response)
    if part is None or "\\boxed" not in part:
        return False
    try:
        found = parse(part, _BOXES)
        golds = [parse(f"\\boxed{{{text}}}", _BOXES) for text in _golds(gold)]
        return any(mv_verify(parsed, found) for parsed in golds)
    except Exception:  # noqa: BLE001
        return False


def _golds(gold: str) -> list[str]:
    return json.loads(gold) if gold.startswith('["') else [gold]


def accuracy(name: str, cases: Sequence[Case], judge: Judge) -> tuple[Row, list[Row]]:
    """Return the shares of errors and the list of errors."""
    wrong: list[Row] = []
    n_right = sum(case.is_right for case in cases)
    for case in cases:
        if judge(case.gold, case.response) != case.is_right:
            kind = "false negative" if case.is_right else "false positive"
            wrong.append(
                {"grader": name, "kind": kind, "reason": case.reason, "gold": case.gold,
                 "response": case.response, "place": case.place}
            )  # fmt: skip
    n_negative = sum(row["kind"] == "false negative" for row in wrong)
    n_positive = len(wrong) - n_negative
    row: Row = {
        "grader": name,
        "cases": len(cases),
        "accuracy": f"{1 - len(wrong) / len(cases):.4f}",
        "false negatives": f"{n_negative / n_right:.2%}",
        "false positives": f"{n_positive / (len(cases) - n_right):.2%}",
    }
    return row, wrong


def all_accuracies(verifier: Verifier) -> tuple[list[Row], list[Row]]:
    """Return the accuracies of three graders on the corpus, and the errors of reasonrl."""

    def ours(gold: str, response: str) -> bool:
        return verifier.verify(Task(kind=Kind.MATH, answer=gold), response).reward == 1.0

    rows, errors = [], []
    graders: dict[str, Judge] = {
        "reasonrl": ours, "math-verify best": mv_best, "math-verify default": mv_default
    }  # fmt: skip
    cases = math_cases()
    small = [case for case in cases if len(case.response) < 1_000 and not _is_bomb(case)]
    for name, judge in graders.items():
        row, wrong = accuracy(name, cases if name == "reasonrl" else small, judge)
        rows.append(row)
        errors += [error for error in wrong if name == "reasonrl"]
    return rows, errors


def _is_bomb(case: Case) -> bool:
    """Return whether a case takes math-verify seconds and is therefore left out for it."""
    return "9^{9" in case.response or "TOO_LARGE" in case.label


def cpu_of_all() -> float:
    """Return the CPU-seconds of this process and its living children."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(used.user + used.system for used in times)


def turn(work: Callable[[VerifyItem], object], asked: Iterable[VerifyItem]) -> float:
    """Return the questions judged per CPU-second."""
    questions = list(asked)
    start = cpu_of_all()
    for question in questions:
        work(question)
    return len(questions) / (cpu_of_all() - start)


def throughput(verifier: Verifier, repeats: int) -> list[Row]:
    """Return both throughputs, measured alternately with different questions in every turn."""
    rows = []
    for name, goal in GOALS.items():
        ours, theirs = [], []
        for repeat in range(repeats):
            start = 10 + repeat * 10_000
            mine = items(name, PER_TURN[name], start=start, seed=repeat)
            peer = items(name, PER_TURN_PEER[name], start=start, seed=repeat)
            ours.append(turn(lambda q: verifier.verify(q.task, q.response), mine))
            theirs.append(turn(lambda q: mv_best(q.task.answer, q.response), peer))
        rows.append(
            {
                "questions": name,
                "reasonrl /s": f"{statistics.median(ours):.0f}",
                "spread": f"{min(ours):.0f}-{max(ours):.0f}",
                "math-verify best /s": f"{statistics.median(theirs):.0f}",
                "ratio": f"{statistics.median(ours) / statistics.median(theirs):.0f}",
                "goal /s": goal or "",
            }
        )
    return rows


def hostile(verifier: Verifier) -> list[Row]:
    """Return the highest cost of one input, an event loop's pause, and a replacement's time."""
    walls, peers = [], []
    for gold in ("42", r"\sqrt{2}", "x^2 + 1", "1, 2", r"(-\infty, 1)"):
        for bomb in BOMBS:
            question = item(gold, bomb)
            walls.append(wall(lambda q=question: verifier.verify(q.task, q.response)))  # type: ignore[misc]
    for bomb in PEER_BOMBS:
        peers.append(wall(lambda b=bomb: mv_best("42", f"\\boxed{{{b}}}")))  # type: ignore[misc]
    replaced = subprocess.run(
        [sys.executable, "-m", "benchmarks.replacement"], capture_output=True, text=True, check=True
    ).stdout.split()
    asked = [item("7", bomb) for bomb in BOMBS] + list(mixed(200, seed=3))
    return [
        row("slowest of all bombs, wall seconds", f"{max(walls):.2f}", "1.0"),
        row("median bomb, wall seconds", f"{statistics.median(walls):.4f}", ""),
        row(f"slowest of {len(peers)} bombs, math-verify best", f"{max(peers):.1f}", ""),
        row("answer after a killed worker, slowest of 3, wall seconds", max(replaced), "0.3"),
        row("longest pause of an event loop, ms", f"{longest_pause_ms(verifier, asked):.0f}", "50"),
        row("default deadline, seconds", f"{DEFAULT_DEADLINE_S:g}", ""),
    ]  # fmt: skip


def row(name: str, measured: str, goal: str) -> Row:
    """Return one line of the table of limits."""
    return {"what": name, "measured": measured, "goal": goal}


def wall(work: Callable[[], object]) -> float:
    """Return the wall seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def soak(verifier: Verifier, count: int = 10_000) -> list[Row]:
    """Judge many mixed questions and return the resources left behind."""
    me = psutil.Process()
    questions = mixed(count)
    verifier.verify_batch(list(islice(mixed(1_000, seed=1), 1_000)))
    rss, fds = me.memory_info().rss, me.num_fds()
    children = len(me.children(recursive=True))
    largest = 0
    while chunk := list(islice(questions, 500)):
        verifier.verify_batch(chunk)
        workers = [child for child in me.children(recursive=True) if child.ppid() != me.pid]
        largest = max(largest, *(worker.memory_info().rss for worker in workers))
    zombies = sum(c.status() == psutil.STATUS_ZOMBIE for c in me.children(recursive=True))
    growth = (me.memory_info().rss - rss) / 2**20
    return [
        row(f"soak of {count}: growth of the caller, MiB", f"{growth:.1f}", "20"),
        row("  zombies", str(zombies), "0"),
        row("  processes more than before", str(len(me.children(recursive=True)) - children), "0"),
        row("  descriptors more than before", str(me.num_fds() - fds), "0"),
        row("  largest worker, RSS in MiB", f"{largest / 2**20:.0f}", "400"),
    ]


def main() -> None:
    """Run all parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    with Verifier() as verifier:
        # The first question starts the worker, so that its start is not measured.
        verifier.verify_batch([item("1", r"1 + \hbar")])
        accuracies, errors = all_accuracies(verifier)
        limits = [*hostile(verifier), *soak(verifier)]
        speeds = throughput(verifier, options.repeats)
    tables = {"accuracy": accuracies, "throughput": speeds, "limits": limits, "errors": errors}
    print(f"\n{describe_machine()}")
    for rows in tables.values():
        if rows:
            print_table(rows)
    if options.json:
        options.json.write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
