"""The local engine: sampling and learning on one module in one process, on a CPU or one GPU."""

from reasonrl.engines.local.engine import LocalEngine, OptimizerSettings, use_threads
from reasonrl.engines.local.memory import keep_freed_memory

__all__ = ["LocalEngine", "OptimizerSettings", "keep_freed_memory", "use_threads"]
