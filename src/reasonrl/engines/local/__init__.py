"""The local engine: sampling and learning on one module in one process, on a CPU or one GPU."""

from reasonrl.engines.local.engine import LocalEngine, OptimizerSettings, use_threads

__all__ = ["LocalEngine", "OptimizerSettings", "use_threads"]
