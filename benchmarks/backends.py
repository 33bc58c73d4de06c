"""The plain path beside the fast one: the quickstart with each backend, step by step.

    python -m benchmarks.backends [--steps N]

SmolLM2-135M learns with `model.backend = "native"` and then with `"transformers"`, from the same
seed, on one thread, without the recipe's evaluations but for the first and the last. A row is a
step: mean reward and entropy of both, the share of rollouts whose tokens are the same, and seconds.
The first step's rollouts come from the same weights, so that only rounding lies between them; later
steps drift apart as two runs of one recipe on two machines do. The last rows are the held-out
score, and the sum of seconds with the parts that sampling and updates take. Twenty-five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.common import Row, report

_BACKENDS = ("native", "transformers")
_STEPS = (12, 10)  # of the recipe's two stages


def train(backend: str, directory: Path, steps: int) -> list[dict[str, Any]]:
    """Train with a backend; return the record of each step."""
    first = min(steps, _STEPS[0])
    settings = [f"model.backend={backend}", "seed=1", f"stage.1.steps={first}", "engine.threads=1"]
    settings += [f"stage.2.steps={steps - first}"] if steps > first else []
    command = [sys.executable, "-m", "reasonrl", "train", "quickstart", "--run-dir", str(directory)]
    for setting in settings:
        command += ["--set", setting]
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def tokens(directory: Path, step: int) -> list[list[int]]:
    """Return the tokens of a step's rollouts, in order."""
    table = pq.read_table(directory / "rollouts" / f"step-{step:06d}.parquet")
    return [list(each) for each in table["tokens"].to_pylist()]


def held_out(directory: Path) -> list[float]:
    """Return avg@8 of the held-out problems before and after training."""
    lines = (directory / "evaluations.jsonl").read_text().splitlines()
    results = [json.loads(line) for line in lines]
    values = [each["accuracy"]["value"] for each in results if each["suite"] == "heldout"]
    return [values[0], values[-1]]


def main() -> None:
    """Train twice and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=sum(_STEPS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        places = {backend: Path(work) / backend for backend in _BACKENDS}
        runs = {backend: train(backend, places[backend], options.steps) for backend in _BACKENDS}
        rows: list[Row] = []
        for step, (fast, plain) in enumerate(zip(*runs.values(), strict=False), start=1):
            pairs = zip(*(tokens(place, step) for place in places.values()), strict=False)
            same = [one == other for one, other in pairs]
            rows.append(
                {
                    "step": step,
                    "reward, native": f"{fast['reward/mean']:.3f}",
                    "transformers": f"{plain['reward/mean']:.3f}",
                    "entropy, native": f"{fast['entropy/nats']:.3f}",
                    "transformers ": f"{plain['entropy/nats']:.3f}",
                    "same rollouts": f"{sum(same)} of {len(same)}",
                    "seconds, native": f"{fast['time/step_s']:.1f}",
                    "transformers  ": f"{plain['time/step_s']:.1f}",
                }
            )
        report(rows, None)
        for backend, place in places.items():
            before, after = held_out(place)
            sums = {
                key: sum(row[key] for row in runs[backend])
                for key in ("time/step_s", "time/rollout_s", "time/update_s")
                if key in runs[backend][0]
            }
            spent = ", ".join(f"{key} {value:.0f}" for key, value in sums.items())
            print(f"{backend}: held-out avg@8 {before:.3f} -> {after:.3f}; {spent}")


if __name__ == "__main__":
    main()
