"""Rewards of one's own, at work: `python -m benchmarks.own_reward [gsm8k|cost|step] ...`.

    gsm8k --data DIR     published GSM8K rows, a file with two reward functions, a soft overlong
                         penalty, SmolLM2-135M: trained whole, and killed by SIGKILL and resumed
    cost                 4,096 rollouts with a function of 1 ms, against the ideal of the workers
    step --base DIR      a step without any component, against an older checkout, in turns

Prints a table. `gsm8k` leaves with 1 when the resumed run differs, or when the total of any
recorded rollout is not the formula over its recorded components.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reasonrl.reward import ProblemRecord, RolloutRecord
from reasonrl.reward.pool import FunctionPool, FunctionSpec
from reasonrl.types import Message

HERE = Path(__file__).resolve().parent.parent
REWARDS = '''"""Two rewards: for showing steps, and for ending on a number."""

import re


def steps(record):
    """Favour three or more lines of working."""
    lines = [line for line in record.answer.splitlines() if line.strip()]
    return min(len(lines), 3) / 3, f"{len(lines)} lines"


def ends_on_number(records):
    """1 for each rollout of a problem whose last word has a digit."""
    return [float(bool(re.search(r"\\d\\W*$", record.answer))) for record in records]
'''
RECIPE = """
name = "gsm8k-own"

[[data.sources]]
type = "file"
path = "{rows}"
fields = {{ prompt = "question", answer = "answer" }}
answer_after = "####"

[rollout]
prompts_per_step = 4
group_size = 4
max_new_tokens = 96

[verify]
unboxed = true

[engine]
threads = 1

[checkpoint]
every = 1

[entropy]
mode = "none"

[[reward]]
type = "verifier"

[[reward]]
type = "function"
name = "steps"
function = "rewards.py:steps"
weight = 0.5

[[reward]]
type = "function"
name = "number"
function = "rewards.py:ends_on_number"
batch = true
weight = 0.25

[[reward]]
type = "overlong"
buffer = 32
weight = 0.5

[[stage]]
steps = 5
"""
WEIGHTS = {"verifier": 1.0, "steps": 0.5, "number": 0.25, "overlong": 0.5}
SPIN = "import time\ndef f(r):\n    end = time.perf_counter() + 0.001\n" + (
    "    while time.perf_counter() < end: pass\n    return 1.0\n"
)


def reasonrl(*words: object, root: Path = HERE) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "reasonrl", *map(str, words)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def gsm8k(data: Path, out: Path) -> bool:
    """Train, kill and resume; return whether everything is as it must be."""
    (out / "rewards.py").write_text(REWARDS, encoding="utf-8")
    recipe = out / "gsm8k.toml"
    recipe.write_text(RECIPE.format(rows=data / "gsm8k" / "train.jsonl"), encoding="utf-8")
    whole, killed = out / "whole", out / "killed"
    if reasonrl("train", recipe, "--run-dir", whole).wait():
        return False
    process = reasonrl("train", recipe, "--run-dir", killed)
    metrics = killed / "metrics.jsonl"
    while not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        time.sleep(0.1)
    time.sleep(1.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if reasonrl("resume", killed).wait():
        return False
    hashes = [
        json.loads((run / "summary.json").read_text())["weights_sha256"] for run in (whole, killed)
    ]
    rows = [row for path in sorted((whole / "rollouts").iterdir()) for row in rows_of(path)]
    again = [row for path in sorted((killed / "rollouts").iterdir()) for row in rows_of(path)]
    wrong = sum(abs(row["reward"] - total(row)) > 1e-12 for row in rows)
    page = (whole / "report.html").read_text()
    print("| what | value |\n|---|---|")
    print(f"| rollouts, steps | {len(rows)}, 5 |")
    print(f"| weights of the run that was killed and resumed | {shown(hashes[0] == hashes[1])} |")
    print(f"| its rollouts with all components | {shown(rows == again)} |")
    print(f"| rows whose total is not the formula | {wrong} |")
    for name in WEIGHTS:
        values = [row[f"reward/{name}"] for row in rows]
        print(f"| `reward/{name}`: mean, range | {statistics.fmean(values):.3f}, {min(values):.2f} "
              f"to {max(values):.2f} |")  # fmt: skip
        assert f">{name}<" in page, name
    print("| each component's curve in report.html | yes |")
    return hashes[0] == hashes[1] and rows == again and not wrong


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return [{key: value for key, value in row.items() if key != "verify_wall_s"} for row in rows]


def total(row: dict[str, Any]) -> float:
    return sum(weight * row[f"reward/{name}"] for name, weight in WEIGHTS.items())


def shown(is_equal: bool) -> str:
    return "equal to the bit" if is_equal else "DIFFERENT"


def cost(out: Path, repeats: int) -> None:
    """Print how long 4,096 calls of 1 ms take, beside the ideal of the workers."""
    (out / "spin.py").write_text(SPIN, encoding="utf-8")
    record = RolloutRecord(
        problem=ProblemRecord(id="p", kind="math", answer="2"),
        prompt=(Message(role="user", content="What is 1 + 1? " * 8),),
        response="It is 2. " * 200,
        thought=None,
        answer="It is 2. " * 200,
        tokens=600,
        max_new_tokens=1024,
        stop="stop",
    )
    calls = [[record]] * 4_096
    print("| workers | seconds, median | ideal | ratio, median and range |\n|---|---|---|---|")
    for workers in (1, 2):
        spec = FunctionSpec(name="f", function=f"{out / 'spin.py'}:f", workers=workers)
        with FunctionPool(spec) as pool:
            pool.run(calls[:64])
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                pool.run(calls)
                times.append(time.perf_counter() - start)
        ideal = 4.096 / workers
        ratios = sorted(seconds / ideal for seconds in times)
        print(f"| {workers} | {statistics.median(times):.2f} | {ideal:.2f} | "
              f"{statistics.median(ratios):.3f} [{ratios[0]:.3f}, {ratios[-1]:.3f}] |")  # fmt: skip


def step(base: Path, out: Path, repeats: int) -> None:
    """Print the ratio of tiny's training time here and in the base, alternating."""
    ratios = []
    for turn in range(repeats):
        times = {}
        order = (HERE, base) if turn % 2 else (base, HERE)
        for root in order:
            run = out / f"{turn}-{root.name}-{root == HERE}"
            recipe = root / "recipes" / "tiny.toml"
            settings = ("--set", "suite=[]", "--set", "engine.threads=1")
            assert reasonrl("train", recipe, "--run-dir", run, *settings, root=root).wait() == 0
            lines = (run / "metrics.jsonl").read_text().splitlines()
            times[root] = statistics.median(json.loads(line)["time/step_s"] for line in lines)
        ratios.append(times[HERE] / times[base])
    ratios.sort()
    print("| a step of tiny without components, here / base | median | range |\n|---|---|---|")
    print(f"| {repeats} pairs of runs of 40 steps | {statistics.median(ratios):.3f} | "
          f"{ratios[0]:.3f} to {ratios[-1]:.3f} |")  # fmt: skip


def main() -> None:
    """Run one part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("gsm8k", "cost", "step"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--base", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if options.part == "gsm8k":
            sys.exit(0 if gsm8k(options.data.resolve(), out) else 1)
        if options.part == "cost":
            cost(out, options.repeats)
        else:
            step(options.base.resolve(), out, options.repeats)


if __name__ == "__main__":
    main()
