"""Give a model's tokenizer the form of prompts that a recipe asks for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from reasonrl.errors import ConfigError
from reasonrl.models.hf import LanguageModel
from reasonrl.models.template import ChatForm
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.recipe import PromptConfig
from reasonrl.run.layout import CODE

Asked = TypeVar("Asked", bound=PromptConfig)


def form_of(config: PromptConfig, run: Path | None) -> ChatForm:
    """Return the form of prompts that a recipe asks for; ConfigError for an unreadable file.

    `run` is the directory of the run whose own copy of a template is used where it has one.
    """
    named = config.chat_template
    file = None if named is None else _file_of(Path(named), run)
    text = None if file is None else _read(file)
    return ChatForm(
        style=config.prompt_style,
        template=text,
        name=named if text is None else None,
        args=config.chat_template_args,
        time=None if config.chat_time is None else datetime.fromisoformat(config.chat_time),
        thought=config.thought_marks,
    )


def in_form(model: LanguageModel, config: PromptConfig, run: Path | None) -> LanguageModel:
    """Return a model whose tokenizer makes prompts as a recipe asks."""
    return replace(model, tokenizer=model.tokenizer.formed(form_of(config, run)))


def with_time(config: Asked, tokenizer: ChatTokenizer) -> Asked:
    """Return how a model is asked, with the present where the tokenizer's template prints the time.

    A run keeps the time, so that its prompts stay the same when it resumes on another day.
    """
    if config.chat_time is not None or not tokenizer.tells_time:
        return config
    now = datetime.now().astimezone().replace(tzinfo=None)
    return config.model_copy(update={"chat_time": now.isoformat(timespec="seconds")})


def keep_template(config: PromptConfig, directory: Path) -> None:
    """Copy the recipe's template file into a run, which uses its copy from then on."""
    named = config.chat_template
    file = None if named is None else _file_of(Path(named), None)
    if file is not None:
        copy = directory / CODE / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _file_of(named: Path, run: Path | None) -> Path | None:
    """Return the run's copy of a template file, or the file; None for the name of a template."""
    candidates = ([] if run is None else [run / CODE / named.name]) + [named]
    return next((path for path in candidates if path.is_file()), None)


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
