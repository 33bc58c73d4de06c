"""How fast a large run opens in `reasonrl view`.

    python -m benchmarks.view [--steps 2000] [--rollouts 4096] [--out DIR]

Makes a run of `--steps` steps with `--rollouts` rollouts each and 200 characters a text, unless the
directory holds it already (about 4 GB, three minutes), serves it, and asks what the page asks:
opening the run, one filtered step, the numeric columns of the whole run, and a search until its
first hits and until its end. A time is the median of three, from question to whole answer, without
drawing.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import report
from reasonrl.api import load_recipe
from reasonrl.run.config import write_config

_TOKENS = 50
_GROUP = 16


def make_run(run: Path, steps: int, rollouts: int) -> None:
    """Write the record of a run that was never made."""
    if (run / "config.toml").exists():
        return
    run.mkdir(parents=True)
    (run / "rollouts").mkdir()
    recipe = load_recipe("quickstart", [f"stage.1.steps={steps}"])
    stage = recipe.stage[0].name
    random = np.random.default_rng(1)
    words = ["so", "wait", "then", "17", "+", "=", "hence", "the", "sum", "is"]
    texts = [" ".join(random.choice(words, 60))[:200] for _ in range(rollouts)]
    tokens = random.integers(0, 30_000, (rollouts, _TOKENS), dtype=np.int32)
    logprobs = -random.exponential(0.4, (rollouts, _TOKENS)).astype(np.float32)
    with (run / "metrics.jsonl").open("w") as file:
        for step in range(1, steps + 1):
            rewards = (random.random(rollouts) < 0.2 + 0.5 * step / steps).astype(np.float64)
            table = pa.table(
                {
                    "step": pa.array(np.full(rollouts, step, np.int32)),
                    "rollout_id": [
                        f"train-{step}-0/p{n // _GROUP}/{n % _GROUP}" for n in range(rollouts)
                    ],
                    "problem_id": [f"p{(n // _GROUP + step * 7) % 5000}" for n in range(rollouts)],
                    "index": pa.array(np.arange(rollouts, dtype=np.int32) % _GROUP),
                    "prompt": ["What is it?"] * rollouts,
                    "text": texts if step % 50 else [*texts[:-1], "a needle in the stack"],
                    "answer": ["17"] * rollouts,
                    "n_tokens": pa.array(np.full(rollouts, _TOKENS, np.int32)),
                    "tokens": list(tokens),
                    "logprobs": list(logprobs),
                    "stop": ["stop"] * rollouts,
                    "version": pa.array(np.full(rollouts, step - 1, np.int32)),
                    "reward": rewards,
                    "status": np.where(rewards == 1, "CORRECT", "WRONG").tolist(),
                    "reason": [""] * rollouts,
                    "extracted": ["17"] * rollouts,
                    "verify_wall_s": np.full(rollouts, 1e-4),
                    "advantage": random.normal(0, 1, rollouts),
                    "signal": ["kept"] * rollouts,
                    "masked": [False] * rollouts,
                }
            )
            pq.write_table(table, run / "rollouts" / f"step-{step:06d}.parquet", compression="zstd")
            row: dict[str, object] = {f"made/up/{n}": float(random.random()) for n in range(40)}
            known = {"accuracy/all": rewards.mean(), "reward/mean": rewards.mean()}
            file.write(json.dumps({"step": step, "stage": stage, **known, **row}) + "\n")
    write_config(run, recipe)


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of three calls."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def measure(address: str, steps: int) -> list[dict[str, str | int | float]]:
    """Return a row for each question of the page."""

    def ask(path: str, **asked: object) -> bytes:
        with urllib.request.urlopen(f"{address}api/{path}?{urlencode(asked)}") as answer:
            return answer.read()

    def search(until: int | None) -> None:
        with urllib.request.urlopen(f"{address}api/runs/0/search?q=needle") as answer:
            hits = 0
            for line in answer:
                hits += b'"hit"' in line
                if until is not None and hits >= until:
                    return

    def fresh_step() -> None:
        nonlocal next_step
        next_step += 1
        ask("runs/0/rollouts", step=next_step, status="CORRECT", text="hence", order="reward:down")

    next_step = steps // 2
    questions = (
        ("open the run: findings, state, all metrics", 2.0,
         lambda: (ask("runs"), ask("runs/0"), ask("runs/0/metrics"))),
        ("filter one step, not seen before", 0.3, fresh_step),
        ("numeric columns of the whole run", 3.0, lambda: ask("runs/0/columns")),
        ("search: the first ten hits", None, lambda: search(10)),
        ("search: the whole run", None, lambda: search(None)),
    )  # fmt: skip
    return [
        {"question": name, "seconds": f"{seconds(work):.2f}", "goal": goal or "streams"}
        for name, goal, work in questions
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rollouts", type=int, default=4096)
    parser.add_argument("--out", type=Path, default=Path("runs/large"))
    given = parser.parse_args()
    make_run(given.out, given.steps, given.rollouts)
    process = subprocess.Popen(
        [sys.executable, "-m", "reasonrl", "view", str(given.out), "--no-open", "--port", "0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+/", process.stdout.readline())
        assert found is not None
        report(measure(found[0], given.steps), None)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
