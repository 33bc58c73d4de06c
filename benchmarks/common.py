"""Shared parts of the benchmarks: clocks that ignore other programs, tables, the machine's name."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import psutil
import torch

from reasonrl.verify import Verifier, VerifyItem

Row = Mapping[str, str | int | float]


class DocstringHelp(argparse.RawDescriptionHelpFormatter):
    """Help that keeps the lines of a module's docstring."""


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU-seconds that a call takes, over all threads of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def median_cpu_seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median CPU-seconds of `repeats` calls, after one call that is not counted."""
    work()
    return statistics.median(cpu_seconds(work) for _ in range(repeats))


def gemm_peak(size: int = 4096, dtype: torch.dtype = torch.float32) -> float:
    """Return the FLOP per CPU-second that a large matrix product reaches at this moment."""
    a, b, out = (torch.randn(size, size).to(dtype) for _ in range(3))
    return 2 * size**3 / median_cpu_seconds(lambda: torch.mm(a, b, out=out), repeats=3)


def longest_pause_ms(verifier: Verifier, items: Sequence[VerifyItem]) -> float:
    """Return the longest pause of an event loop that judges all items at the same time."""

    async def judge_all() -> float:
        judging = asyncio.gather(*(verifier.averify(one.task, one.response) for one in items))
        longest, last = 0.0, time.perf_counter()
        while not judging.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        await judging
        return longest

    return 1e3 * asyncio.run(judge_all())


def machine_busy_s() -> float:
    """Return the CPU-seconds of all programs and of the host until now."""
    times = psutil.cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))


def describe_machine() -> str:
    """Return commit, versions and processor in one line."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    versions = ", ".join(f"{name} {_version(name)}" for name in ("torch", "transformers", "trl"))
    units = "with" if "avx512_bf16" in _cpu_info() else "without"
    return (
        f"commit {commit or 'unknown'}; Python {platform.python_version()}, {versions}; "
        f"{os.cpu_count()} cores of {_field(_cpu_info(), 'model name')}, {units} bfloat16 units"
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _cpu_info() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _field(text: str, name: str) -> str:
    found = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith(name)]
    return found[0] if found else platform.processor() or "an unknown processor"


def report(rows: Sequence[Row], path: Path | None) -> None:
    """Print the machine's line and the rows as a Markdown table, and write the rows to `path`."""
    print(f"\n{describe_machine()}")
    print_table(rows)
    if path:
        path.write_text(json.dumps([dict(row) for row in rows], indent=1) + "\n")


def print_table(rows: Sequence[Row]) -> None:
    """Print rows of the same columns as a Markdown table."""
    print("\n| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(_cell(value) for value in row.values()) + " |")


def _cell(value: str | int | float) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and value < 100
        else (f"{value:.0f}" if isinstance(value, float) else str(value))
    )


def spread(values: Sequence[float], unit: str = "") -> str:
    """Return the median with the smallest and the largest value."""
    return f"{statistics.median(values):.3g}{unit} [{min(values):.3g}, {max(values):.3g}]"
