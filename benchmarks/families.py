"""Families of models: how near each way to compute is to transformers, and whether they learn.

    python -m benchmarks.families [--learn] [--family FAMILY ...]

The first table: a random model of each family of the native backend, with norms away from 1 and
biases away from 0, sampled, scored and differentiated by every way; a cell is the largest distance
in nats, and for ways that learn also in gradient (`reasonrl.admission.agreement` has the
definitions). The goal is 1e-5 in float32. Two minutes for all families on one core.

With --learn, the second table: `recipes/tiny.toml` with a random model of each family, seed 1. The
mean reward of the first and of the last five steps; and whether a run that was killed by SIGKILL
after its first checkpoint and resumed ends with the same weights. Ten minutes for all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import Row, report
from reasonrl.admission.agreement import GOAL, NATIVE_WAYS, WayDistance, agreements
from reasonrl.models.admission import Backend
from reasonrl.models.families import FAMILIES
from reasonrl.models.random import save_rough
from reasonrl.run.layout import CHECKPOINTS, MODEL

_EDGE = 5  # steps at each end whose rewards are compared


def agreement_row(family: str) -> Row:
    """Return the distances of a random model of a family from plain transformers."""
    with tempfile.TemporaryDirectory() as directory:
        save_rough(family, directory)
        found = list(agreements(directory, Backend.NATIVE))
    verdict = "yes" if all(distance.is_near() for distance in found) else "NO"
    cells = {way.value: _cell(distance) for way, distance in zip(NATIVE_WAYS, found, strict=True)}
    return {"family": family, **cells, f"within {GOAL:g}": verdict}


def _cell(distance: WayDistance) -> str:
    gradient = "" if distance.gradient is None else f" / {distance.gradient:.1e}"
    return f"{distance.nats:.1e}{gradient}"


def learning_row(family: str, work: Path) -> Row:
    """Train the tiny recipe with a family twice, once killed and resumed; compare the ends."""
    whole, killed = work / f"{family}-whole", work / f"{family}-killed"
    training = ("train", "tiny", "--set", f"model.name=tiny:{family}", "--set", "seed=1")
    _run(*training, "--run-dir", whole)
    _train_and_kill(training, killed)
    _run("resume", killed)
    lines = (whole / "metrics.jsonl").read_text().splitlines()
    rewards = [json.loads(line)["reward/mean"] for line in lines]
    first, last = statistics.fmean(rewards[:_EDGE]), statistics.fmean(rewards[-_EDGE:])
    return {
        "family": family,
        "reward, first 5": f"{first:.3f}",
        "last 5": f"{last:.3f}",
        "gain": f"{last - first:.3f}",
        "killed and resumed": "equal" if _weights(whole) == _weights(killed) else "DIFFERS",
    }


def _train_and_kill(training: Sequence[str], directory: Path) -> None:
    """Start a run and kill it without warning soon after its first checkpoint."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reasonrl", *training, "--run-dir", str(directory)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and not list((directory / CHECKPOINTS).glob("step-*")):
        time.sleep(0.02)
    if process.poll() is not None:
        raise SystemExit(f"{directory} ended before it could be killed")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _run(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "reasonrl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-500:]}{done.stderr[-2000:]}")


def _weights(directory: Path) -> str:
    return hashlib.sha256((directory / MODEL / "model.safetensors").read_bytes()).hexdigest()


def main() -> None:
    """Print a table, a row for each family, as soon as all are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    options = parser.parse_args()
    families = options.family or list(FAMILIES)
    with tempfile.TemporaryDirectory() as work:
        rows = []
        for family in families:
            row = learning_row(family, Path(work)) if options.learn else agreement_row(family)
            print(f"{family}: {row}", file=sys.stderr)
            rows.append(row)
    report(rows, None)


if __name__ == "__main__":
    main()
