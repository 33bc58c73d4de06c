"""The field's benchmarks as lists of problems: one adapter each, from the hub or a local path.

`load_benchmark` and `load_livecodebench` are what `pools` calls. An adapter says where its rows are
and turns one into a `Problem`; it neither samples nor judges.
"""

from reasonrl.data.benchmarks.catalog import BENCHMARKS, load_benchmark
from reasonrl.data.benchmarks.livecodebench import load_livecodebench

__all__ = ["BENCHMARKS", "load_benchmark", "load_livecodebench"]
