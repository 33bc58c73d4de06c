"""What a model is: its config, tokenizer, template, marks of a thought, size; without its weights.

Everything here is read as transformers reads it, from files that nobody vouches for. Whatever goes
wrong is a refusal with a reason and never a traceback: a person asks in order to learn it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from math import gcd
from pathlib import Path
from typing import Any

from torch import nn

from reasonrl.errors import ConfigError, ModelError, RefusedError
from reasonrl.launch.models import find_model
from reasonrl.launch.shapes import fetch_config
from reasonrl.models.admission import Backend, WantedBackend
from reasonrl.models.hf import LanguageModel, as_directory, outline_model
from reasonrl.models.lora import has_fused_experts, linear_names
from reasonrl.models.random import is_tiny
from reasonrl.models.routing import chosen_experts, number_of_experts
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.planning.configs import CONFIG
from reasonrl.types import Message

Fact = tuple[str, str]
"""What is said about a model: the subject, and the sentence."""

_STATE_BYTES = 16
"""The bytes of a parameter that learns in float32: weight, gradient and two moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLook:
    """A model that can be trained, without its weights, and what is known of it.

    `directory` is what transformers loads it from.
    """

    model: LanguageModel
    directory: str
    facts: tuple[Fact, ...]
    parameters: int


def look(name: str, wanted: WantedBackend = "auto") -> ModelLook:
    """Return what a model is.

    Raises ConfigError where the name leads to no model, and RefusedError with the reason for a
    model that cannot be trained.
    """
    directory = _directory(name)
    try:
        model = outline_model(name if is_tiny(name) else directory, backend=wanted)
    except ModelError as error:
        raise RefusedError(
            error.what, where=name, expected=error.expected, remedy=error.remedy
        ) from error
    parameters = sum(parameter.numel() for parameter in model.module.parameters())
    return ModelLook(
        model=model,
        directory=directory,
        facts=(*_facts(model, parameters), *_prompts(model.tokenizer)),
        parameters=parameters,
    )


def _directory(name: str) -> str:
    """Return what a name's model is loaded from; ConfigError where there is no model."""
    named = find_model(name)
    if named.checkpoint is not None:
        raise ConfigError(
            "a checkpoint has no form that transformers loads",
            where=name,
            remedy=f"export it with `reasonrl export {name} DIR`, then check DIR",
        )
    location = as_directory(named.base)
    if Path(location).is_dir():
        if not (Path(location) / CONFIG).is_file():
            raise ConfigError(f"no {CONFIG}", where=location, expected="the directory of a model")
        return location
    fetch_config(location)
    return location


def _facts(model: LanguageModel, parameters: int) -> list[Fact]:
    config: Any = model.module.config
    text = config.get_text_config()
    layers = getattr(text, "num_hidden_layers", None)
    tied = "tied" if getattr(text, "tie_word_embeddings", False) else "not tied"
    family = f"{config.model_type} ({type(model.module).__name__}), "
    family += f"{layers} layers, " if layers else ""
    eos = ", ".join(f"{model.tokenizer.word(eos)!r} ({eos})" for eos in sorted(model.eos_ids))
    facts = [
        ("family", f"{family}{parameters / 1e6:,.1f}M parameters, head and embedding {tied}"),
        ("backend", f"{model.backend}: {model.reason}"),
        ("ends with", eos),
        ("context", f"{model.context:,} tokens, prompt and completion together"),
        (
            "memory",
            f"{_STATE_BYTES * parameters / 1e9:.2f} GB of training state in float32; activations "
            "and the sampler's cache come on top"
            + (" (`reasonrl plan`)" if model.backend is Backend.NATIVE else ""),
        ),
        ("ranks", _ranks(model, text)),
        ("LoRA", _lora(model.module)),
        ("vLLM", _vllm(type(model.module).__name__, config)),
    ]
    if experts := _experts(config):
        facts.append(("experts", experts))
    return facts


def _prompts(tokenizer: ChatTokenizer) -> list[Fact]:
    """Return how a question becomes a prompt, and where an answer begins."""
    pairs = " or ".join(f"{begin} ... {end}" for begin, end in tokenizer.marks.pairs)
    thought = f"graded behind {pairs}; for other marks set model.thought_marks"
    question = [Message(role="user", content="QUESTION")]
    try:
        text = tokenizer.template.render(question)
        if tokenizer.encode_chat(question).opens_thought:
            thought += "; the template begins one"
    except ModelError as error:
        return [("template", f"none that works: {error}"), ("thought", thought)]
    return [("template", repr(text)), ("thought", thought)]


def _ranks(model: LanguageModel, text: Any) -> str:
    if model.backend is not Backend.NATIVE:
        return "no: only the native backend shares weights over FSDP2 ranks"
    heads = int(text.num_attention_heads)
    splits = [str(parts) for parts in (2, 4, 8, 16) if gcd(heads, parts) == parts]
    return "FSDP2; sequence_parallel = " + (
        f"1, {', '.join(splits)}" if splits else f"1 only, for {heads} heads"
    )


def _lora(module: nn.Module) -> str:
    names = linear_names(module)
    if not names:
        return "no linear layer for an adapter"
    if has_fused_experts(module):
        return "beside the linear layers of the attention; experts get none"
    return f"beside {', '.join(names)}"


def _vllm(architecture: str, config: Any) -> str:
    named = getattr(config, "architectures", None) or [architecture]
    if architecture not in named:
        return (
            f"not as it is: its config.json names {named[0]}, and {architecture} is what learns; "
            "save it once with transformers, then check that directory"
        )
    if find_spec("vllm") is None:
        return "not installed here; docs/models.md says which families it knows"
    from reasonrl.engines.vllm.known import known_architectures

    knows = architecture in known_architectures()
    return f"{'knows' if knows else 'does not know'} {architecture}"


def _experts(config: Any) -> str:
    number = number_of_experts(config)
    return (
        f"{number}, {chosen_experts(config)} for each token; update.router_loss balances them, and "
        "the learner routes anew (docs/models.md)"
        if number
        else ""
    )
