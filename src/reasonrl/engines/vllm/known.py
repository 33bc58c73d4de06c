"""Which architectures the installed vLLM can run; asked without starting an engine."""

from __future__ import annotations


def known_architectures() -> frozenset[str]:
    """Return the class names that vLLM has a model for, as config.json names them."""
    from vllm.model_executor.models import ModelRegistry

    return frozenset(ModelRegistry.get_supported_archs())
