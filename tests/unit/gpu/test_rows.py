"""The rows: where they are documented, and that each of them can be answered."""

from __future__ import annotations

import re

import pytest

from reasonrl.gpu.rows import ROWS
from tests.conftest import REPOSITORY

NAMES = [row.name for row in ROWS]
CLUSTERS = (REPOSITORY / "docs" / "clusters.md").read_text(encoding="utf-8")
PAGE = (REPOSITORY / "docs" / "gpu-check.md").read_text(encoding="utf-8")
ASKING = (REPOSITORY / "src" / "reasonrl" / "gpu" / "asking.py").read_text(encoding="utf-8")


def test_every_line_that_no_gpu_has_confirmed_names_a_row_and_every_row_is_named():
    table = CLUSTERS.partition("No GPU has confirmed")[2]
    lines = re.findall(r"^\| .* \| `([\w-]+)` \| (.*) \|$", table, re.MULTILINE)
    assert [name for name, _ in lines] == [name for name in NAMES if name in dict(lines)]
    assert {name for name, _ in lines} <= set(NAMES)
    in_the_page = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))
    assert set(NAMES) <= {name for name, _ in lines} | in_the_page
    assert {answer for _, answer in lines} == {"not yet run on a GPU"}


def test_the_page_has_every_row_in_the_order_in_which_they_are_asked():
    rows = PAGE.partition("## The rows")[2]
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", rows, re.MULTILINE) == NAMES


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_row_that_this_command_can_ask_has_an_answer_and_a_limit(row):
    if row.needs.elsewhere:
        return
    assert f'"{row.name}"' in ASKING
    assert row.estimate_s < row.limit_s
    assert row.cpu_estimate_s < row.limit_s


def test_names_are_unique_and_short_words_with_dashes():
    assert len(set(NAMES)) == len(NAMES)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in NAMES)
