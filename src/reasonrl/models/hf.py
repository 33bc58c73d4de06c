"""A Hugging Face causal language model as the engines use it: hidden states and a head.

Loads from a directory, a hub id, a packed model or `tiny`, checks that the model can be trained
here, and saves it. Reads safetensors only: pickled weights are refused.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.utils import logging as hf_logging

from reasonrl.errors import EngineError, StorageError
from reasonrl.models import attention, fetch
from reasonrl.models.admission import (
    Backend,
    WantedBackend,
    admit,
    check_vocabulary,
    eos_ids_of,
)
from reasonrl.models.files import (
    LOADING,
    cannot_load,
    exact_attention,
    from_pretrained,
    tokenizer_and_config,
)
from reasonrl.models.heads import HeadForm, head_form
from reasonrl.models.lora import has_adapters, policy_tensors
from reasonrl.models.random import build_tiny, is_tiny, tiny_family
from reasonrl.models.tokenizer import ChatTokenizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LanguageModel:
    """A model, its tokenizer, and the facts that the engines need.

    `module` is the transformers model; `eos_ids` end a completion; `context` is the length of the
    longest sequence, prompt and completion together, that its positions allow; `compute` is the
    dtype that the layers compute in, whatever the dtype of the weights. `backend` is how it
    computes, and `reason` says in half a sentence why so.
    """

    name: str
    module: nn.Module
    tokenizer: ChatTokenizer
    eos_ids: frozenset[int]
    context: int
    compute: torch.dtype = torch.float32
    backend: Backend = Backend.NATIVE
    reason: str = ""

    @property
    def n_layers(self) -> int:
        return int(cast(Any, self.module).config.num_hidden_layers)

    @property
    def cache_shape(self) -> tuple[int, int]:
        """Return (key-value heads, head size)."""
        config = cast(Any, self.module).config
        head_size = getattr(config, "head_dim", None)
        return config.num_key_value_heads, (
            head_size or config.hidden_size // config.num_attention_heads
        )

    @property
    def head(self) -> Tensor:
        """Return the LM head's weight, [V, D]; tied models share it with the embedding."""
        return cast(Tensor, cast(Any, self.module).get_output_embeddings().weight)

    @property
    def device(self) -> torch.device:
        """Return where the head is, and with it the logits."""
        return self.head.device

    @property
    def head_form(self) -> HeadForm:
        """Return how hidden states and head make logits."""
        return head_form(cast(Any, self.module).config)

    def hidden(self, tokens_1L: Tensor, positions_1L: Tensor, layout: attention.Layout) -> Tensor:
        """Return the last hidden states, [L, D] in float32, of one packed row; native only."""
        return hidden_states(self.module, tokens_1L, positions_1L, layout)[0]

    def sample_by_default(self, *, temperature: float) -> None:
        """Let the saved model sample from its whole distribution, and stop at every EOS id."""
        settings = cast(Any, self.module).generation_config
        settings.do_sample, settings.temperature = True, temperature
        settings.top_p, settings.top_k = 1.0, 0
        settings.eos_token_id = sorted(self.eos_ids)

    def digest(self) -> str:
        """Return a hash of all weights by name: equal policies have equal hashes on any machine."""
        digest = hashlib.blake2b(digest_size=20)
        for name, tensor in sorted(policy_tensors(self.module)):
            digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def save(self, directory: Path) -> None:
        """Write a directory that plain transformers loads."""
        self.save_weights(directory, None)

    def save_weights(self, directory: Path, weights: Mapping[str, Tensor] | None) -> None:
        """Write a directory as `save` does, with the given weights, or the module's own if None."""
        if weights is None and has_adapters(self.module):
            weights = {name: tensor.cpu() for name, tensor in policy_tensors(self.module)}
        # One at a time leaves the GPU: all merged weights in float32 might not fit there.
        given = None
        if weights is not None:
            given = {name: tensor.cpu() for name, tensor in weights.items()}
            # Tied names are saved once.
            for alias in cast(Any, self.module).all_tied_weights_keys:
                given.pop(alias, None)
        try:
            cast(Any, self.module).save_pretrained(str(directory), state_dict=given)
            self.tokenizer.save(str(directory))
        except (OSError, SafetensorError) as error:
            raise StorageError(
                f"could not write the model: {error}",
                where=str(directory),
                remedy="free space there",
            ) from error


def hidden_states(
    module: Any,
    tokens_1L: Tensor,
    positions_1L: Tensor,
    layout: attention.Layout,
    *,
    with_routers: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the last hidden states of one packed row as the head takes them, [L, D] in float32.

    With `with_routers` also the logits of each router, [L, E], of a model with experts.
    """
    routers = {"output_router_logits": True} if with_routers else {}
    out = module.model(
        input_ids=tokens_1L, position_ids=positions_1L, use_cache=False, layout=layout, **routers
    )
    hidden_LD: Tensor = out.last_hidden_state[0].float()
    scale = head_form(module.config).scale
    found = tuple(out.router_logits) if with_routers else ()
    return hidden_LD if scale == 1.0 else hidden_LD * scale, found


def load_model(
    name: str, *, seed: int = 0, device: str = "cpu", backend: WantedBackend = "auto"
) -> LanguageModel:
    """Load a model and its tokenizer by name. `seed` only decides the weights of `tiny`.

    Raises ModelError when the model cannot be found, no backend can train it (or not the wanted
    one), or it lacks an EOS token.
    """
    check_device(device)
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    if is_tiny(name):
        module, raw_tokenizer = build_tiny(seed, family=tiny_family(name))
    else:
        module, raw_tokenizer = from_pretrained(fetch.locate(name), name, backend)
    return settled(module.to(device), raw_tokenizer, name, backend)


def check_device(device: str) -> None:
    """Raise EngineError for a device that this build of torch, or this machine, does not have."""
    n_gpus = torch.cuda.device_count()
    try:
        asked = torch.device(device)
    except RuntimeError:
        asked = torch.device("meta")
    if asked.type == "cpu" or (asked.type == "cuda" and (asked.index or 0) < n_gpus):
        return
    gpus = f' or "cuda:0" to "cuda:{n_gpus - 1}"' if n_gpus else ""
    raise EngineError(
        f"no device {device!r} here",
        where="engine.device",
        expected=f'"cpu"{gpus}',
        remedy='set engine.device = "cpu"'
        + ("" if torch.version.cuda else ", or install a build of torch with CUDA"),
    )


def outline_model(name: str, *, backend: WantedBackend = "auto") -> LanguageModel:
    """Load a model without its weights: they are on the meta device and take no memory.

    For callers that need only its tokenizer and its shape, and for ranks that receive the weights
    from rank 0. Raises ModelError as `load_model` does.
    """
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    if is_tiny(name):
        module, raw_tokenizer = build_tiny(family=tiny_family(name))
        # Moving to another kind of device unties the head.
        module.to("meta").tie_weights()
        return settled(module, raw_tokenizer, name, backend)
    raw_tokenizer, config = tokenizer_and_config(name, backend)
    try:
        with torch.device("meta"):
            module = AutoModelForCausalLM.from_config(
                config, dtype=torch.float32, trust_remote_code=False
            )
    except LOADING as error:
        raise cannot_load(name, error) from error
    # Not every model has a generation config.
    with contextlib.suppress(OSError):
        module.generation_config = GenerationConfig.from_pretrained(fetch.locate(name))
    return settled(module, raw_tokenizer, name, backend)


def settled(
    module: Any, raw_tokenizer: Any, name: str, backend: WantedBackend = "auto"
) -> LanguageModel:
    """Check a transformers model and its tokenizer, and return them as the engines use them."""
    admission = admit(module.config, name, backend)
    if admission.backend is Backend.NATIVE:
        attention.register()
        module.config._attn_implementation = attention.ATTENTION_NAME
    elif exact := exact_attention(module.config):
        module.set_attn_implementation(exact)
    check_vocabulary(module, raw_tokenizer, name)
    # Without dropout sampling and training compute the same function.
    module.eval()
    # transformers drops the gradient of the padding token's embedding. No sequence is padded here,
    # and the token stands in prompts when it also ends a turn.
    module.get_input_embeddings().padding_idx = None
    return LanguageModel(
        name=name,
        module=module,
        tokenizer=ChatTokenizer(raw_tokenizer, where=name),
        eos_ids=eos_ids_of(module, raw_tokenizer, name),
        context=admission.context,
        backend=admission.backend,
        reason=admission.reason,
    )


def as_directory(name: str) -> str:
    """Return a directory or a hub id from which other engines can read a model's shape."""
    if not is_tiny(name):
        return fetch.locate(name)
    directory = fetch.cache_dir() / "models" / name.replace(":", "-")
    if not (directory / "config.json").exists():
        load_model(name).save(directory)
    return str(directory)


def load_tokenizer(name: str) -> tuple[ChatTokenizer, int]:
    """Load a model's tokenizer by name, and the length of its context, without its weights."""
    hf_logging.set_verbosity_error()
    if is_tiny(name):
        module, raw = build_tiny(family=tiny_family(name))
        return ChatTokenizer(raw, where=name), admit(module.config, name).context
    raw_tokenizer, config = tokenizer_and_config(name)
    return ChatTokenizer(raw_tokenizer, where=name), admit(config, name).context
