"""Show that two trees compute the same numbers: an older commit's, and this one's.

    git worktree add ../base COMMIT
    python -m benchmarks.same_numbers ../base [--data DIR] [--only tiny,verdicts]

Both trees run in one go on this machine, with this interpreter and one thread. Compared to the bit:
the weights of the quickstart and of tiny, the metrics of a run that was killed and resumed, of a
run that the older tree began and this tree resumes, and of a run of the lab; a data build's
manifest; the verdicts on the test corpora. Names of metrics that changed are translated; times and
memory are left out. Leaves with 1 when anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.corpus import math_cases
from tests.corpus.programs import read_programs

from reasonrl.run.layout import METRICS, SUMMARY
from reasonrl.run.record import RunRecorder

HERE = Path(__file__).resolve().parent.parent
KILLED_AFTER = 11
STUDY, ARMS = "adaptive-entropy", "adaptive-4"
TIMES = ("time/", "memory/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A checkout, and the directory that its runs are kept in."""

    root: Path
    out: Path

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start `reasonrl` from this checkout."""
        self.out.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root / "src"),
            "REASONRL_CACHE": str(self.out / "cache"),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "reasonrl", *map(str, words)]
        with (self.out / "log.txt").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.out, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def run(self, *words: str | Path) -> None:
        """Run `reasonrl` to its end; raise when it fails."""
        if code := self.start(*words).wait():
            raise SystemExit(
                f"{' '.join(map(str, words))}: exit code {code}, see {self.out}/log.txt"
            )

    def train(self, recipe: str, run: str) -> Path:
        """Train one of this checkout's recipes in one thread and return the run's directory."""
        path = self.root / "recipes" / f"{recipe}.toml"
        self.run("train", path, "--run-dir", self.out / run, "--set", "engine.threads=1")
        return self.out / run


def facts_of(run: Path) -> dict[str, Any]:
    """Return what must be equal of two runs; metrics are read under today's names."""
    recorder = RunRecorder(run)
    summary = json.loads((run / SUMMARY).read_text(encoding="utf-8"))
    return {
        "weights_sha256": summary["weights_sha256"],
        "metrics": [
            {name: value for name, value in row.items() if not name.startswith(TIMES)}
            for row in recorder.metrics()
        ],
        "evaluations": recorder.evaluations(),
    }


def quickstart(tree: Tree, _data: Path | None) -> dict[str, Any]:
    """Train the quickstart, seed 1."""
    return facts_of(tree.train("quickstart", "quickstart"))


def tiny(tree: Tree, _data: Path | None) -> dict[str, Any]:
    """Train tiny without a pause."""
    return facts_of(tree.train("tiny", "tiny"))


def begin_and_kill(tree: Tree, run: Path) -> None:
    """Begin tiny and kill the process when step 11 has been recorded."""
    recipe = tree.root / "recipes" / "tiny.toml"
    process = tree.start("train", recipe, "--run-dir", run, "--set", "engine.threads=1")
    metrics = run / METRICS
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < KILLED_AFTER:
        if process.poll() is not None:
            raise SystemExit(f"tiny ended before step {KILLED_AFTER}, see {tree.out}/log.txt")
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()


def resumed(tree: Tree, _data: Path | None) -> dict[str, Any]:
    """Kill tiny after step 11 and resume it."""
    run = tree.out / "killed"
    begin_and_kill(tree, run)
    tree.run("resume", run)
    return facts_of(run)


def lab(tree: Tree, _data: Path | None) -> dict[str, Any]:
    """Build the miniature of seed 1 and train one arm of a study on it."""
    out = tree.out / "studies"
    tree.run("study", STUDY, "--arms", ARMS, "--seeds", "1", "--out", out, "--workers", "1")
    (run,) = (out / "runs").iterdir()
    return facts_of(run)


def data(tree: Tree, source: Path | None) -> dict[str, Any]:
    """Build GSM8K as a training set."""
    if source is None:
        raise SystemExit("the data build needs --data DIR with gsm8k/train.jsonl and test.jsonl")
    recipe = tree.root / "recipes" / "data" / "gsm8k.toml"
    paths = {"source.1": source / "gsm8k/train.jsonl", "protected.1": source / "gsm8k/test.jsonl"}
    changes = [word for key, path in paths.items() for word in ("--set", f"{key}.path={path}")]
    tree.run("data", "build", recipe, "--out", tree.out / "gsm8k", *changes)
    manifest = json.loads((tree.out / "gsm8k/manifest.json").read_text(encoding="utf-8"))
    return {"hash": manifest["hash"]}


def verdicts(tree: Tree, _data: Path | None) -> dict[str, Any]:
    """Judge the test corpora: pairs, responses and programs."""
    tree.out.mkdir(parents=True, exist_ok=True)
    cases = [
        {"id": case.place, "kind": "math", "response": case.response, "gold": case.gold}
        for case in math_cases()
    ] + [
        {
            "id": str(program),
            "kind": "code",
            "response": program.item.response,
            "tests": json.loads(program.item.task.answer),
        }
        for program in read_programs()
    ]
    asked, judged = tree.out / "cases.jsonl", tree.out / "verdicts.jsonl"
    asked.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    # A long deadline: on a busy machine the usual one would decide some verdicts.
    tree.run("verify", "--input", asked, "--output", judged, "--deadline-s", "20")
    # The corpus gives these programs no status: which limit they meet first depends on the load.
    open_ended = {str(program) for program in read_programs() if program.status in ("", "*")}
    return {
        "verdicts": [
            {
                "id": row["id"],
                "status": "any" if row["id"] in open_ended else row["status"],
                "reward": row["reward"],
            }
            for row in map(json.loads, judged.read_text(encoding="utf-8").splitlines())
        ]
    }


CHECKS: Mapping[str, Callable[[Tree, Path | None], dict[str, Any]]] = {
    "tiny": tiny,
    "resumed": resumed,
    "verdicts": verdicts,
    "data": data,
    "lab": lab,
    "quickstart": quickstart,
}


def older_run_resumed_here(base: Tree, here: Tree) -> tuple[dict[str, Any], dict[str, Any]]:
    """Kill a run of the older tree after step 11, resume a copy with each tree."""
    begun = base.out / "begun"
    begin_and_kill(base, begun)
    for tree in (base, here):
        shutil.copytree(begun, tree.out / "continued")
        tree.run("resume", tree.out / "continued")
    return facts_of(base.out / "continued"), facts_of(here.out / "continued")


def show(name: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Print whether two sides are equal, and the first difference; return whether they are."""
    for key in one:
        is_same = one[key] == other[key]
        shown = str(one[key])[:16] if isinstance(one[key], str) else f"{len(one[key])} rows"
        print(f"| {name} | {key} | {shown} | {'equal' if is_same else 'DIFFERS'} |", flush=True)
        if not is_same and not isinstance(one[key], str):
            pairs = enumerate(zip(one[key], other[key], strict=False))
            first = next(((n, a, b) for n, (a, b) in pairs if a != b), None)
            print(f"first difference: {str(first or 'one side has more rows')[:400]}")
    return one == other


def main() -> None:
    """Run every check in both trees and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", type=Path, help="a checkout of the older commit")
    parser.add_argument("--data", type=Path, help="the directory of problem sets")
    parser.add_argument("--only", default=",".join([*CHECKS, "older"]), help="checks, with commas")
    parser.add_argument("--out", type=Path, help="where runs are kept; a temporary directory")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - {*CHECKS, "older"}:
        parser.error(f"unknown checks: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as scratch:
        out = (given.out or Path(scratch)).resolve()
        base = Tree(root=given.base.resolve(), out=out / "base")
        here = Tree(root=HERE, out=out / "here")
        print("| what | fact | base | here |\n|---|---|---|---|", flush=True)
        source = given.data.resolve() if given.data else None
        same = [
            show(name, CHECKS[name](base, source), CHECKS[name](here, source))
            for name in wanted
            if name in CHECKS
        ]
        if "older" in wanted:
            same.append(show("older run resumed", *older_run_resumed_here(base, here)))
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
