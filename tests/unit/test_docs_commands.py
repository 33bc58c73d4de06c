"""Every command that the docs show exists, with every option that they give it."""

import re

import pytest
import typer

from reasonrl.cli.app import app
from tests.e2e.support import REPOSITORY

PAGES = sorted(
    str(path.relative_to(REPOSITORY))
    for pattern in ("*.md", "docs/*.md", "recipes/*.toml", "benchmarks/*.md")
    for path in REPOSITORY.glob(pattern)
)
ROOT = typer.main.get_command(app)


def commands_of(text):
    """Yield each `reasonrl ...` of a page, as words, without comments."""
    for found in re.findall(r"(?:^|[`$#] *)(reasonrl [a-z][^`\n]*)", text, re.MULTILINE):
        yield found.partition(" #")[0].split()


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_real(page):
    for _, *words in commands_of((REPOSITORY / page).read_text()):
        command = ROOT
        while hasattr(command, "commands") and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not ROOT, f"no such command: {words}"
        known = {name for option in command.params for name in option.opts}
        given = {word.partition("=")[0].strip("[].,") for word in words if "--" in word[:3]}
        assert given <= known, f"{command.name}: {given - known}"


def test_the_page_on_evaluation_names_every_option_worth_knowing():
    page = (REPOSITORY / "docs" / "evaluation.md").read_text()
    for name in ("suite", "compare", "limit", "style", "temperature", "data", "out", "table"):
        assert f"--{name}" in page
