"""Read a model's files through transformers: config, tokenizer, weights; safetensors only."""

from __future__ import annotations

from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from reasonrl.errors import ModelError
from reasonrl.models import fetch
from reasonrl.models.admission import WantedBackend, admit
from reasonrl.models.random import TINY

LOADING = (
    OSError, ValueError, LookupError, AttributeError, TypeError, ImportError, RuntimeError,
    AssertionError, ArithmeticError, SafetensorError, StrictDataclassError,
)  # fmt: skip
"""What transformers raises for files that make no model; each family has its own ways."""


def exact_attention(config: Any) -> str | None:
    """Return the attention of transformers that computes a model as it is, None for the default.

    The default, torch's fused kernels, leaves a bound on scores out (Gemma 2).
    """
    return "eager" if getattr(config.get_text_config(), "attn_logit_softcapping", None) else None


def tokenizer_and_config(name: str, backend: WantedBackend = "auto") -> tuple[Any, Any]:
    """Return a model's tokenizer and its config, which is admitted."""
    location = fetch.locate(name)
    try:
        config = AutoConfig.from_pretrained(location, trust_remote_code=False)
        admit(config, name, backend)
        return AutoTokenizer.from_pretrained(location, trust_remote_code=False), config
    except ModelError:
        raise
    except LOADING as error:
        raise cannot_load(name, error) from error


def from_pretrained(location: str, name: str, backend: WantedBackend) -> tuple[Any, Any]:
    """Return a model with its weights in float32, and its tokenizer."""
    # The config is read first, because a refusal must not wait for gigabytes of weights.
    tokenizer, _ = tokenizer_and_config(name, backend)
    try:
        module, report = AutoModelForCausalLM.from_pretrained(
            location,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except LOADING as error:
        raise cannot_load(name, error) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the files of {name!r} lack {len(missing)} weights, {missing[0]} among them",
            where="model.name",
            expected="every weight of the architecture that config.json names",
            remedy="complete the model's files: the missing weights would start random",
        )
    return module, tokenizer


def cannot_load(name: str, error: Exception) -> ModelError:
    """Return the error for files that transformers makes no model of."""
    first_line = str(error).partition("\n")[0] or type(error).__name__
    return ModelError(
        f"cannot load {name!r}: {first_line}",
        where="model.name",
        expected="a directory with config.json, *.safetensors and a tokenizer; a hub id; "
        f"{fetch.DEFAULT_MODEL}; {TINY} or {TINY}:FAMILY",
        remedy="check the name, and the model's files",
    )
