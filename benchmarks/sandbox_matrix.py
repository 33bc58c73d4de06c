"""The sandbox in the places where GPU jobs run, imitated on this machine: what is kept in, where.

Each profile of `benchmarks.sandbox_profiles` runs `reasonrl sandbox check`, and `reasonrl train
code` with a model that is not there: a run that is not refused gets as far as looking for it.
A profile that cannot be imitated here says so in its row. Needs root.

    python -m benchmarks.sandbox_matrix [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import Row, describe_machine, report
from benchmarks.sandbox_profiles import PROFILES

ROOT = Path(__file__).parents[1]
_TIMEOUT_S = 120
_NO_MODEL = "none/at-all"


def in_profile(profile: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `reasonrl` in a profile to its end."""
    command = [sys.executable, "-m", "benchmarks.sandbox_profiles", profile]
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.run(
        [*command, sys.executable, "-m", "reasonrl", *arguments],
        env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"}, cwd=ROOT,
        capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip


def row_of(profile: str) -> Row:
    """Return the row of one profile."""
    done = in_profile(profile, "sandbox", "check", "--json")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        fault = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return _row(profile, f"not imitated here: {fault}", "", "", "", "", "", "")
    escaped = [name for name, end in found["attempts"].items() if end != "kept in"]
    kept = len(found["attempts"]) - len(escaped)
    return _row(
        profile,
        found["isolation"] or "no sandbox",
        str(done.returncode),
        found["parts"].get("memory", ""),
        f"{kept} of {len(found['attempts'])}",
        ", ".join(escaped),
        found["message"],
        found["setting"],
    )


def _row(profile: str, level: str, code: str, memory: str, kept: str, escaped: str, message: str,
         setting: str) -> Row:  # fmt: skip
    return {
        "where": profile,
        "level": level,
        "exit code": code,
        "memory": memory,
        "kept in": kept,
        "escaped": escaped,
        "message": message,
        "setting": setting,
    }


def refusal_of(profile: str) -> str:
    """Return how `reasonrl train` on code problems ends in a profile, or that it starts."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o777)
        start = time.perf_counter()
        done = in_profile(
            profile,
            "train",
            "code",
            "--set",
            f"model.name={_NO_MODEL}",
            "--run-dir",
            f"{folder}/run",
        )
        wall_s = time.perf_counter() - start
    error = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
    if _NO_MODEL in error:
        return "starts"
    ending = f"exit code {done.returncode} after {wall_s:.0f} s"
    return f"refused, {ending}" if "no sandbox" in error else f"{ending}: {error}"


def main() -> int:
    """Measure every profile and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print(f"needs root to imitate other machines; {describe_machine()}", file=sys.stderr)
        return 2
    rows = [{**row_of(profile), "train": refusal_of(profile)} for profile in PROFILES]
    report(rows, given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
