"""From chat turns to token ids, once; and from ids to text, for verifiers and records only.

Training never turns text back into ids: it trains on the sampled ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from reasonrl.models.template import ChatForm, HFTemplates, Template, plain_text
from reasonrl.models.thoughts import CLOSE, OPEN, Marks, Vocabulary, marks_of
from reasonrl.types import ChatPrompt, Message, Tokens


class HFTokenizer(HFTemplates, Vocabulary, Protocol):
    """The part of a transformers tokenizer that is used here (transformers ships no types)."""

    eos_token_id: int | None

    def convert_ids_to_tokens(self, ids: int) -> Any: ...
    def save_pretrained(self, save_directory: str) -> Any: ...


class ChatTokenizer:
    """Turn chat turns into the ids of a prompt in one form, and decode completions."""

    def __init__(self, hf: HFTokenizer, *, where: str, form: ChatForm | None = None) -> None:
        self.hf = hf
        self.where = where
        self.form = form or ChatForm()

    def formed(self, form: ChatForm) -> ChatTokenizer:
        """Return this tokenizer with another form of prompts.

        Raises ModelError when the model has no such template.
        """
        made = ChatTokenizer(self.hf, where=self.where, form=form)
        if form.style == "chat":
            _ = made.template
        return made

    @cached_property
    def template(self) -> Template:
        """Return the chat template; ModelError where there is none."""
        return Template(self.hf, self.form, where=self.where)

    @property
    def tells_time(self) -> bool:
        """Return whether prompts contain the date or the time at which they are made."""
        return self.form.style == "chat" and self.template.tells_time

    def encode_chat(self, messages: Sequence[Message]) -> ChatPrompt:
        """Return the ids of the turns and the opening of the model's answer."""
        if self.form.style == "plain":
            text = plain_text(messages)
            ids = self.hf.encode(text, add_special_tokens=True)
            if ids and ids[-1] == self.hf.eos_token_id:
                # Some tokenizers close every text, and a prompt goes on.
                ids = ids[:-1]
            return self._prompt(ids, is_open=text.rstrip().endswith(OPEN))
        text = self.template.render(messages)
        ids = self.hf.encode(text, add_special_tokens=False)
        return self._prompt(ids, is_open=self._opens_thought(text, messages))

    def _prompt(self, ids: Sequence[int], *, is_open: bool) -> ChatPrompt:
        return ChatPrompt(tokens=np.asarray(ids, dtype=np.int32), opens_thought=is_open)

    def _opens_thought(self, text: str, messages: Sequence[Message]) -> bool:
        """Return whether the opening of the answer, behind the turns, begins a thought."""
        if not _is_open(self.marks.in_text(text)):
            return False
        turns = self.template.render(messages, opens_answer=False)
        opening = text.removeprefix(turns)
        if opening != text:
            return _is_open(self.marks.in_text(opening))
        return self.marks.in_text(text).rstrip().endswith(OPEN)

    def word(self, token: int) -> str:
        """Return one token as the vocabulary spells it, for pictures only."""
        return str(self.hf.convert_ids_to_tokens(token))

    def decode(self, tokens: Tokens) -> str:
        """Return the text for verifiers, without special tokens such as EOS.

        The marks of a thought become `<think>` and `</think>`, whatever the model writes, also
        where they are special tokens: the answer begins behind them.
        """
        parts = [
            part if isinstance(part, str) else self.hf.decode(part, skip_special_tokens=True)
            for part in self.marks.split(tokens.tolist())
        ]
        return self.marks.in_text("".join(parts))

    @cached_property
    def marks(self) -> Marks:
        """Return the marks of a thought that the model may write."""
        return marks_of(self.hf, self.form.thought)

    def save(self, directory: str) -> None:
        """Write the tokenizer's files, with the chat template that prompts were made with."""
        own = self.hf.chat_template
        try:
            if self.form.template is not None or self.form.name is not None:
                self.hf.chat_template = self.template.text
            self.hf.save_pretrained(directory)
        finally:
            self.hf.chat_template = own


def _is_open(text: str) -> bool:
    """Return whether a thought is begun and not ended."""
    return text.rfind(OPEN) > text.rfind(CLOSE)
