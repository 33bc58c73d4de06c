"""Run the command line as a user does, and read what a run leaves behind."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pyarrow.parquet as pq

from reasonrl.cli.app import main

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = REPOSITORY / "recipes"
COMMAND = [sys.executable, "-m", "reasonrl"]

# What a clock or the operating system decides; all else must repeat bit for bit.
_TIMED = ("time/", "memory/")


def reasonrl(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """Run `reasonrl` to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        **options,
    )


def reasonrl_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `reasonrl` in this process, which has paid for its imports already."""
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["reasonrl", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.argv = argv
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def metrics_of(run: Path) -> list[dict[str, object]]:
    """Return the run's metrics without what a clock decides."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith(_TIMED)} for row in rows]


def rollouts_of(run: Path) -> list[dict[str, object]]:
    """Return every recorded rollout in order, without the verifier's times."""
    rows = []
    for path in sorted((run / "rollouts").glob("*.parquet")):
        rows += pq.read_table(path).drop_columns(["verify_wall_s"]).to_pylist()
    return rows


def trace_of(run: Path) -> dict[str, object]:
    """Return everything of a finished run that must repeat bit for bit."""
    summary = json.loads((run / "summary.json").read_text())
    return {
        "metrics": metrics_of(run),
        "rollouts": rollouts_of(run),
        "evaluations": (run / "evaluations.jsonl").read_text(),
        "weights": summary["weights_sha256"],
        "steps": summary["steps"],
    }
