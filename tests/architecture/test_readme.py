"""Claims of the README that code can check."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SOURCE = REPOSITORY / "src" / "reasonrl"


def test_the_method_has_as_many_lines_as_the_readme_says():
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines())
        for room in ("loop", "algo")
        for path in (SOURCE / room).glob("*.py")
    )
    claimed = re.search(r"`loop/` and `algo/` have ([\d,]+) lines", README)
    assert claimed is not None
    assert abs(int(claimed[1].replace(",", "")) - lines) <= 50
    assert lines < 2_500, "too long for an afternoon"


def test_the_map_names_every_room():
    rooms = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()}
    table = README.partition("## Map of the code")[2]
    assert {room for room in rooms if f"`{room}/`" not in table} == set()
