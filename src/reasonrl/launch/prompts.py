"""Give a model's tokenizer the form of prompts that a recipe asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from reasonrl.errors import ConfigError
from reasonrl.models.hf import LanguageModel
from reasonrl.models.template import ChatForm
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.recipe import PromptConfig
from reasonrl.run.copies import keep_copy, own_copy

Asked = TypeVar("Asked", bound=PromptConfig)


def form_of(config: PromptConfig, run: Path | None) -> ChatForm:
    """Return the form of prompts that a recipe asks for; ConfigError for an unreadable file.

    `run` is the directory of the run whose own copy of a template is used where it has one.
    """
    file = _file_of(config, run)
    text = None if file is None else _read(file)
    return ChatForm(
        style=config.prompt_style,
        template=text,
        name=config.chat_template if text is None else None,
        args=config.chat_template_args,
        time=None if config.chat_time is None else datetime.fromisoformat(config.chat_time),
        thought=config.thought_marks,
    )


def in_form(model: LanguageModel, config: PromptConfig, run: Path | None) -> LanguageModel:
    """Return a model whose tokenizer makes prompts as a recipe asks."""
    return replace(model, tokenizer=model.tokenizer.formed(form_of(config, run)))


def settle_form(
    config: Asked, tokenizer: ChatTokenizer, run: Path | None
) -> tuple[Asked, ChatTokenizer]:
    """Return how a model is asked, and its tokenizer in that form.

    Where the template prints the time, and none is given, the present is. A run keeps it, so that
    its prompts stay the same when it resumes on another day.
    """
    form = form_of(config, run)
    formed = tokenizer.formed(form)
    if config.chat_time is not None or not formed.tells_time:
        return config, formed
    now = datetime.now().astimezone().replace(tzinfo=None, microsecond=0)
    timed = config.model_copy(update={"chat_time": now.isoformat()})
    return timed, tokenizer.formed(replace(form, time=now))


def keep_template(config: PromptConfig, directory: Path) -> None:
    """Copy the recipe's template file into a run, which uses its copy from then on."""
    file = _file_of(config, None)
    if file is not None:
        keep_copy(file, directory)


def _file_of(config: PromptConfig, run: Path | None) -> Path | None:
    """Return the run's copy of a template file, or the file; None for the name of a template."""
    if config.chat_template is None:
        return None
    named = Path(config.chat_template)
    file = named if run is None else own_copy(named, run)
    return file if file.is_file() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read: {error}",
            where=f"model.chat_template = {path}",
            expected="a text file with a chat template",
            remedy="check the file",
        ) from error
