"""The verifiers on small cases that were made from public bug reports of graders.

The cases lie in `../shared/data/verifier-cases`: `cases.jsonl` (answers, keys and programs) and
`probes.jsonl` (pairs and programs of kinds that were misjudged on public sets, and attacks). A
fifth of them, chosen by a hash of the id, was set aside before any fix; `--part held-out` judges
these, `--part worked` the others. Cases marked contested or debatable are listed apart and not
counted.

    python -m benchmarks.verify_cases [--part all|worked|held-out] [--misses] [--json PATH]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import Row, describe_machine, print_table
from reasonrl.types import Kind, Task
from reasonrl.verify import Verifier

DATA = Path(__file__).parents[2] / "shared/data/verifier-cases"
# Cases whose label docs/verifiers.md refutes, with the argument; at most ten.
ARGUED = frozenset({"attack-bigarg6"})
PARTS = ("all", "worked", "held-out")
OUTCOMES = ("right", "false positive", "false negative", "masked", "raised")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One labelled case. `right` is true, false, or "masked": the task itself is at fault."""

    id: str
    task: Task
    response: str
    right: bool | str
    is_counted: bool
    is_unboxed: bool
    origin: str

    @property
    def is_held_out(self) -> bool:
        return hashlib.sha256(self.id.encode()).digest()[0] % 5 == 0


def read_cases(folder: Path) -> list[Case]:
    """Return the cases on answers and programs of both files; rows of other areas are left out."""
    rows = [
        {"origin": path.stem, **row}
        for path in (folder / "cases.jsonl", folder / "probes.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    ]
    return [_case(row) for row in rows if row.get("area", row["kind"]) in ("math", "code")]


def _case(row: Mapping[str, object]) -> Case:
    is_code = "tests" in row
    answer = json.dumps(row["tests"]) if is_code else row["gold"]
    return Case(
        id=str(row["id"]),
        task=Task(kind=Kind.CODE if is_code else Kind.MATH, answer=answer),  # type: ignore[arg-type]
        response=str(row["response"]),
        right=_right(row["right"]),
        is_counted=not row.get("contested") and row["right"] != "debatable",
        is_unboxed=row.get("options") == "--unboxed",
        origin=str(row["origin"]),
    )


def _right(label: object) -> bool | str:
    if isinstance(label, bool):
        return label
    if label in ("NO_TESTS", "GOLD_UNPARSABLE"):
        return "masked"
    return label in ("CORRECT", "PASS")


def judge(cases: Iterable[Case]) -> list[tuple[Case, str, str]]:
    """Return (case, outcome, status) of each case; a verifier that raises is an outcome, too."""
    judged = []
    with Verifier(workers=1) as boxed, Verifier(workers=1, unboxed=True) as unboxed:
        for case in cases:
            verifier = unboxed if case.is_unboxed else boxed
            try:
                verdict = verifier.verify(case.task, case.response)
            except Exception as error:  # noqa: BLE001 - the finding of this benchmark
                judged.append((case, "raised", type(error).__name__))
            else:
                judged.append((case, _outcome(case.right, verdict.reward), verdict.status.name))
    return judged


def _outcome(right: bool | str, reward: float | None) -> str:
    if right == "masked":
        return "right" if reward is None else "false positive" if reward else "false negative"
    if reward is None:
        return "masked"
    if right:
        return "right" if reward == 1.0 else "false negative"
    return "false positive" if reward else "right"


def table(judged: Iterable[tuple[Case, str, str]]) -> list[Row]:
    """Return the number of cases of each outcome by area; argued and uncounted cases apart."""
    counts: Counter[tuple[str, str]] = Counter()
    for case, outcome, _ in judged:
        area = str(case.task.kind.value)
        if not case.is_counted:
            area = "contested"
        elif case.id in ARGUED:
            area = "argued in docs/verifiers.md"
        counts[area, outcome] += 1
    rows: list[Row] = []
    for area in sorted({area for area, _ in counts}):
        found = {outcome: counts[area, outcome] for outcome in OUTCOMES}
        total = sum(found.values())
        share = f"{found['right'] / total:.4f}"
        rows.append({"cases": area, "number": total, **found, "share right": share})
    return rows


def main() -> int:
    """Judge a part of the cases, print the table and, if asked, the misses; 1 if any is left."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the cases")
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--misses", action="store_true", help="list every case that is not right")
    parser.add_argument("--json", type=Path, help="write the misses to this file")
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(f"no such folder: {given.data}; pass --data")
    cases = read_cases(given.data)
    if given.part != "all":
        cases = [case for case in cases if case.is_held_out == (given.part == "held-out")]
    judged = judge(cases)
    misses = [
        {"id": case.id, "outcome": outcome, "status": status, "answer": case.task.answer,
         "response": case.response, "counted": case.is_counted and case.id not in ARGUED}
        for case, outcome, status in judged
        if outcome != "right"
    ]  # fmt: skip
    print(describe_machine())
    print_table(table(judged))
    if given.misses:
        for miss in misses:
            print(json.dumps(miss, ensure_ascii=False))
    if given.json:
        given.json.write_text(json.dumps(misses, ensure_ascii=False, indent=1) + "\n")
    return int(any(miss["counted"] for miss in misses))


if __name__ == "__main__":
    sys.exit(main())
