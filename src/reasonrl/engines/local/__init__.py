"""The local engine: sampling and learning in one process, on a CPU or one GPU."""

from reasonrl.engines.local.engine import LocalEngine
from reasonrl.engines.local.sampler import LocalSampler

__all__ = ["LocalEngine", "LocalSampler"]
