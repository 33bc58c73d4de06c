"""Public benchmarks as lists of problems, from the hub or a local path.

Each benchmark has an adapter, which knows the benchmark's files and reads a row as a `Problem`. An
adapter neither samples nor judges.
"""

from reasonrl.data.benchmarks.catalog import (
    BENCHMARKS,
    TRAINING_HALVES,
    benchmark_files,
    load_benchmark,
)
from reasonrl.data.benchmarks.livecodebench import load_livecodebench

__all__ = [
    "BENCHMARKS",
    "TRAINING_HALVES",
    "benchmark_files",
    "load_benchmark",
    "load_livecodebench",
]
