"""The local engine: sampling and learning on one module in one process, on a CPU or one GPU."""

from reasonrl.engines.local.engine import LocalEngine, use_threads
from reasonrl.engines.local.memory import keep_freed_memory
from reasonrl.engines.local.sampler import LocalSampler

__all__ = ["LocalEngine", "LocalSampler", "keep_freed_memory", "use_threads"]
