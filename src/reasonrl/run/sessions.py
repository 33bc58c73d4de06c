"""The sittings of a run: the command of each, its versions and its machine, in `sessions.jsonl`.

A page and a comparison of runs say from it where numbers come from.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from reasonrl.run.layout import SESSIONS

_PACKAGES = ("reasonrl", "torch", "transformers", "vllm", "ray")


def note_session(directory: Path, *, threads: int, after_step: int) -> None:
    """Append the sitting that begins now, behind a step of the run."""
    sitting = {
        "begun_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "after_step": after_step,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "versions": versions_here(),
        "machine": {
            "system": platform.platform(),
            "processor": processor_here(),
            "cores": os.cpu_count(),
            "threads": threads,
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        },
    }
    with (directory / SESSIONS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(sitting) + "\n")


def read_sessions(directory: Path) -> list[Mapping[str, object]]:
    """Return the sittings of a run, the first one first; a torn last line is left out."""
    path = directory / SESSIONS
    if not path.exists():
        return []
    sittings: list[Mapping[str, object]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            sitting = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(sitting, dict):
            sittings.append(sitting)
    return sittings


def versions_here() -> dict[str, str]:
    """Return the versions of Python and of the libraries, and the package's commit if known."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = loaded_commit()
    return found | {"commit": commit} if commit else found


@cache
def loaded_commit() -> str:
    """Return the commit of this package's code, as it was at the first call in this process."""
    return commit_of(Path(__file__).parents[3])


def commit_of(root: Path) -> str:
    """Return the commit of a checkout, with `-dirty` if files of it were changed.

    Empty where the directory is no checkout, such as an installed package's, and where git does not
    answer.
    """
    if not (root / ".git").exists():  # an environment may lie in a repository of another project
        return ""
    git = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty"]
    try:
        told = subprocess.run(git, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()


def processor_here() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
