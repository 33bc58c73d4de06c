"""The vLLM engine: fast sampling on GPUs. No other package imports vLLM."""

from reasonrl.engines.vllm.engine import VllmEngine
from reasonrl.engines.vllm.settings import VllmSettings

__all__ = ["VllmEngine", "VllmSettings"]
