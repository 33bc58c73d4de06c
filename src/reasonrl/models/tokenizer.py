"""From chat turns to token ids, once; and from ids to text, for verifiers and records only.

Training never turns text back into ids: it trains on the sampled ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from jinja2 import TemplateError

from reasonrl.errors import ModelError
from reasonrl.types import Message, Tokens

_THOUGHT_MARKS = ("<think>", "</think>")


class HFTokenizer(Protocol):
    """The part of a transformers tokenizer that is used here (transformers ships no types)."""

    chat_template: str | None
    eos_token_id: int | None

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: bool) -> Any: ...
    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...
    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str: ...
    def convert_ids_to_tokens(self, ids: int) -> Any: ...
    def save_pretrained(self, save_directory: str) -> Any: ...


class ChatTokenizer:
    """Apply a model's chat template and decode its completions."""

    def __init__(self, hf: HFTokenizer, *, where: str) -> None:
        if not hf.chat_template:
            raise ModelError(
                "the tokenizer has no chat template",
                where=where,
                expected="a model tuned for chat, or a chat_template.jinja beside its tokenizer",
                remedy="choose an instruct or reasoning model, or add the template file",
            )
        self.hf = hf
        self.where = where

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """Return the ids of the turns and the opening of the model's answer."""
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            ids = self.hf.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        except TemplateError as error:
            # Some templates refuse a system turn.
            raise ModelError(
                f"the chat template refuses {[message.role for message in messages]}: {error}",
                where=self.where,
                remedy="change the prompt's turns, or leave out model.system_prompt",
            ) from error
        return np.asarray(ids, dtype=np.int32)

    def word(self, token: int) -> str:
        """Return one token as the vocabulary spells it, for pictures only."""
        return str(self.hf.convert_ids_to_tokens(token))

    def decode(self, tokens: Tokens) -> str:
        """Return the text for verifiers, without special tokens such as EOS.

        The marks of a thought stay, also where they are special tokens: the answer begins behind
        them.
        """
        parts: list[str] = []
        run: list[int] = []
        for token in tokens.tolist():
            if (mark := self._marks.get(token)) is None:
                run.append(token)
                continue
            parts += [self.hf.decode(run, skip_special_tokens=True), mark]
            run = []
        return "".join([*parts, self.hf.decode(run, skip_special_tokens=True)])

    @cached_property
    def _marks(self) -> dict[int, str]:
        """Return the marks of a thought that are special tokens, by their ids."""
        marks = {}
        for mark in _THOUGHT_MARKS:
            ids = self.hf.encode(mark, add_special_tokens=False)
            if len(ids) == 1 and not self.hf.decode(ids, skip_special_tokens=True):
                marks[ids[0]] = mark
        return marks
