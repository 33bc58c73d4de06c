"""From chat turns to the text of a prompt, by a chat template or without a template.

A template is a program that came with a model or from a user. Everything that can go wrong in it
ends here in a ModelError that names the cause.
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

from reasonrl.errors import ModelError
from reasonrl.types import Message

_CLOCK = "strftime_now"


class HFTemplates(Protocol):
    """The part of a transformers tokenizer that renders templates (transformers ships no types)."""

    chat_template: str | dict[str, str] | None

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatForm:
    """How turns become a prompt; the default is the model's own chat template.

    With the style "plain" the turns' texts are joined by blank lines. `template` is the text of
    another template and `name` chooses one of the model's own. `args` are given to the template, as
    is `time`, which stands for the present wherever the template asks for it. `thought` are marks
    of a thought besides the known ones.
    """

    style: Literal["chat", "plain"] = "chat"
    template: str | None = None
    name: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    time: datetime | None = None
    thought: tuple[str, str] | None = None


class Template:
    """A chat template with its arguments. `where` names the model in errors."""

    def __init__(self, hf: HFTemplates, form: ChatForm, *, where: str) -> None:
        self.hf, self.form, self.where = hf, form, where
        self.text = _chosen(hf, form, where)
        self._check_args()

    @property
    def tells_time(self) -> bool:
        """Return whether the template prints the date or the time."""
        return _CLOCK in self.text

    def render(self, turns: Sequence[Message], *, opens_answer: bool = True) -> str:
        """Return the text of turns, with the opening of the model's answer behind them.

        Raises ModelError when the template fails, renders nothing, or loses a turn's text. A
        template may want each turn's text as a string or as a list of parts; both are tried.
        """
        plain = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            return self._rendered(plain, turns, opens_answer)
        except ModelError:
            parts = [
                {"role": turn.role, "content": [{"type": "text", "text": turn.content}]}
                for turn in turns
            ]
            with suppress(ModelError):
                text = self._rendered(parts, turns, opens_answer)
                # A template that wants strings prints the parts as they stand in Python.
                if "{'type': 'text'" not in text:
                    return text
            raise

    def _rendered(
        self, conversation: list[dict[str, Any]], turns: Sequence[Message], opens_answer: bool
    ) -> str:
        options = dict(self.form.args)
        if self.form.time is not None:
            options[_CLOCK] = self.form.time.strftime
        try:
            text = self.hf.apply_chat_template(
                conversation,
                chat_template=self.text,
                add_generation_prompt=opens_answer,
                tokenize=False,
                **options,
            )
        except Exception as error:
            raise self._failed(error, turns) from error
        self._check_whole(text, turns)
        return str(text)

    def _failed(self, error: Exception, turns: Sequence[Message]) -> ModelError:
        """Return the error for an exception in a template, in words for each kind."""
        said = str(error).strip().partition("\n")[0]
        remedy = "mend the template, or set model.chat_template to another file"
        match error:
            case TemplateSyntaxError():
                what = f"the chat template has a syntax error in line {error.lineno}: {said}"
            case UndefinedError():
                what = f"the chat template uses a value that it was not given: {said}"
                remedy = "give it in model.chat_template_args, or mend the template"
            case TemplateError():
                what = f"the chat template refuses {[turn.role for turn in turns]}: {said}"
                # Some templates refuse a system turn.
                remedy = "change the prompt's turns, or leave out model.system_prompt"
            case _:
                what = f"the chat template fails with {type(error).__name__}: {said}"
        return ModelError(what, where=self.where, remedy=remedy)

    def _check_whole(self, text: object, turns: Sequence[Message]) -> None:
        if not isinstance(text, str) or not text.strip():
            raise ModelError(
                "the chat template renders nothing",
                where=self.where,
                expected="the text of the prompt",
                remedy="mend the template, or set model.chat_template to another file",
            )
        shown = _words(text)
        for turn in turns:
            quoted = json.dumps(turn.content)[1:-1]
            if _words(turn.content) not in shown and quoted not in text:
                raise ModelError(
                    f"the chat template leaves out text of the {turn.role} turn",
                    where=self.where,
                    expected="a prompt with the whole text of every turn",
                    remedy="leave out model.system_prompt"
                    if turn.role == "system"
                    else "mend the template, or set model.chat_template to another file",
                )

    def _check_args(self) -> None:
        """Refuse arguments that the template would ignore, and those that are not its own."""
        taken = inspect.signature(self.hf.apply_chat_template).parameters.keys() - {
            *("tools", "documents", "kwargs")
        }
        names = sorted(set(re.findall(r"[A-Za-z_]\w*", self.text)))
        for name in self.form.args:
            if name in taken or name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                raise ModelError(
                    f"the chat template does not use {name!r}",
                    where="model.chat_template_args",
                    expected="names that the template uses",
                    remedy=f"did you mean {near[0]!r}?" if near else "remove it",
                )


def plain_text(turns: Sequence[Message]) -> str:
    """Return the texts of turns with blank lines between them: the prompt of a base model."""
    return "\n\n".join(turn.content for turn in turns)


def _words(text: str) -> str:
    """Return a text with single spaces: templates may strip or break lines."""
    return " ".join(text.split())


def _chosen(hf: HFTemplates, form: ChatForm, where: str) -> str:
    """Return the template that the form asks for, or the model's own."""
    if form.template is not None:
        return form.template
    own = hf.chat_template
    named = own if isinstance(own, dict) else {"default": own} if own else {}
    name = form.name or "default"
    if name in named:
        return named[name]
    if form.name is None and not named:
        raise ModelError(
            "the tokenizer has no chat template",
            where=where,
            expected="a model tuned for chat, or a template of your own",
            remedy='set model.prompt_style = "plain" for a base model, or model.chat_template to '
            "a template file",
        )
    raise ModelError(
        f"no file and no template of the model is named {name!r}"
        if form.name
        else "the model has several chat templates and no default",
        where="model.chat_template",
        expected=f"a file, or one of {', '.join(named)}" if named else "a file",
        remedy="set model.chat_template",
    )
