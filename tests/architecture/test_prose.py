"""The prose of README.md and docs/ is at most 100 columns wide, as the code is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

COLUMNS = 100
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

LINKS_ONLY = re.compile(r"[\s\-*>\d.]*(!?\[[^\]]*\]\([^)]*\)[\s,.;·|]*)+")
"""A line of images or links alone: an address cannot be wrapped."""


def prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page, counted from 1, without fenced code, tables, links and images."""
    is_code = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code and not line.startswith("|") and not LINKS_ONLY.fullmatch(line):
            yield number, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_is_at_most_100_columns_wide(page: Path) -> None:
    lines = prose_lines(page.read_text(encoding="utf-8"))
    wide = {number: len(line) for number, line in lines if len(line) > COLUMNS}
    assert not wide, f"{page.name}: wrap these lines (number: width): {wide}"


def test_code_tables_and_lines_of_links_may_be_wider() -> None:
    wide = "x" * (COLUMNS + 1)
    page = f"{wide}\n```\n{wide}\n```\n| {wide} |\n![{wide}](a.png)\n- [{wide}](b.md).\n{wide}"
    assert [number for number, line in prose_lines(page) if len(line) > COLUMNS] == [1, 8]
