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
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils import logging as hf_logging

from reasonrl.errors import EngineError, ModelError, StorageError
from reasonrl.models import attention, fetch
from reasonrl.models.admission import check_config, check_vocabulary, eos_ids_of
from reasonrl.models.lora import has_adapters, policy_tensors
from reasonrl.models.random import TINY, build_tiny, is_tiny, tiny_family
from reasonrl.models.tokenizer import ChatTokenizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LanguageModel:
    """A model, its tokenizer, and the facts that the engines need.

    `module` is the transformers model; `eos_ids` end a completion; `context` is the length of the
    longest sequence, prompt and completion together, that its positions allow; `compute` is the
    dtype that the layers compute in, whatever the dtype of the weights.
    """

    name: str
    module: nn.Module
    tokenizer: ChatTokenizer
    eos_ids: frozenset[int]
    context: int
    compute: torch.dtype = torch.float32

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
        return cast(Tensor, cast(Any, self.module).lm_head.weight)

    def hidden(self, tokens_1L: Tensor, positions_1L: Tensor, layout: attention.Layout) -> Tensor:
        """Return the last hidden states, [L, D] in float32, of one packed row."""
        body = cast(Any, self.module).model
        out = body(input_ids=tokens_1L, position_ids=positions_1L, use_cache=False, layout=layout)
        return cast(Tensor, out.last_hidden_state[0]).float()

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
        if given is not None and cast(Any, self.module).config.tie_word_embeddings:
            # The same tensor is saved as the embedding.
            del given["lm_head.weight"]
        try:
            cast(Any, self.module).save_pretrained(str(directory), state_dict=given)
            self.tokenizer.save(str(directory))
        except (OSError, SafetensorError) as error:
            raise StorageError(
                f"could not write the model: {error}",
                where=str(directory),
                remedy="free space there",
            ) from error


def load_model(name: str, *, seed: int = 0, device: str = "cpu") -> LanguageModel:
    """Load a model and its tokenizer by name. `seed` only decides the weights of `tiny`.

    Raises ModelError when the model cannot be found, is not a plain causal decoder, or lacks an EOS
    token or a chat template.
    """
    check_device(device)
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    if is_tiny(name):
        module, raw_tokenizer = build_tiny(seed, family=tiny_family(name))
    else:
        module, raw_tokenizer = _from_pretrained(fetch.locate(name), name)
    return settled(module.to(device), raw_tokenizer, name)


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


def outline_model(name: str) -> LanguageModel:
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
        return settled(module, raw_tokenizer, name)
    raw_tokenizer, config = _tokenizer_and_config(name)
    try:
        with torch.device("meta"):
            module = AutoModelForCausalLM.from_config(
                config, dtype=torch.float32, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_load(name, error) from error
    # Not every model has a generation config.
    with contextlib.suppress(OSError):
        module.generation_config = GenerationConfig.from_pretrained(fetch.locate(name))
    return settled(module, raw_tokenizer, name)


def settled(module: Any, raw_tokenizer: Any, name: str) -> LanguageModel:
    """Check a transformers model and its tokenizer, and return them as the engines use them."""
    attention.register()
    module.config._attn_implementation = attention.ATTENTION_NAME
    check_config(module.config, name)
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
        context=int(module.config.max_position_embeddings),
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
        return ChatTokenizer(raw, where=name), int(module.config.max_position_embeddings)
    raw_tokenizer, config = _tokenizer_and_config(name)
    return ChatTokenizer(raw_tokenizer, where=name), int(config.max_position_embeddings)


def _tokenizer_and_config(name: str) -> tuple[Any, Any]:
    """Return a model's tokenizer and its config, which is admitted."""
    location = fetch.locate(name)
    try:
        config = AutoConfig.from_pretrained(location, trust_remote_code=False)
        check_config(config, name)
        return AutoTokenizer.from_pretrained(location, trust_remote_code=False), config
    except ModelError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_load(name, error) from error


def _from_pretrained(location: str, name: str) -> tuple[Any, Any]:
    # The config is read first, because a refusal must not wait for gigabytes of weights.
    tokenizer, _ = _tokenizer_and_config(name)
    try:
        module, report = AutoModelForCausalLM.from_pretrained(
            location,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise _cannot_load(name, error) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the files of {name!r} lack {len(missing)} weights, {missing[0]} among them",
            where="model.name",
            expected="every weight of the architecture that config.json names",
            remedy="complete the model's files: the missing weights would start random",
        )
    return module, tokenizer


def _cannot_load(name: str, error: Exception) -> ModelError:
    first_line = str(error).partition("\n")[0] or type(error).__name__
    return ModelError(
        f"cannot load {name!r}: {first_line}",
        where="model.name",
        expected="a directory with config.json, *.safetensors and a tokenizer; a hub id; "
        f"{fetch.DEFAULT_MODEL}; {TINY} or {TINY}:FAMILY",
        remedy="check the name, and the model's files",
    )
