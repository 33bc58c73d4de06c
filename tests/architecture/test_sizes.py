"""Nothing grows past what one sitting can read. A limit changes here, with a reason."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY

SOURCE = REPOSITORY / "src" / "reasonrl"
MODULES = sorted(SOURCE.rglob("*.py"))

FUNCTION_LINES = 50
FILE_LINES = 300
LOOSE_MODULES = 6
LAYERS = 16

LONG_FILES = {
    "verify/math/expressions.py",
    "verify/math/same.py",
    "verify/sandbox/supervisor.py",
}
"""The files that may have more than 300 lines, each about one idea: the grammar of expressions,
when two answers are the same, the supervisor of programs. At most five: a sixth file displaces
another."""


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_function_is_longer_than_a_screen():
    long = {
        f"{path.relative_to(SOURCE)}:{function.name}": lines
        for path in MODULES
        for function in _functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert not long


def test_files_can_be_read_in_one_sitting():
    lines = {
        path.relative_to(SOURCE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
    }
    long = {name for name, count in lines.items() if count > FILE_LINES}
    assert len(LONG_FILES) <= 5
    assert long <= LONG_FILES, sorted(long - LONG_FILES)


def test_few_modules_stand_outside_a_room():
    loose = {path.name for path in SOURCE.glob("*.py")} - {"__init__.py"}
    assert len(loose) <= LOOSE_MODULES, sorted(loose)


def test_the_house_has_few_floors():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    house = project["tool"]["importlinter"]["contracts"][0]
    assert house["containers"] == ["reasonrl"]
    assert len(house["layers"]) <= LAYERS


def test_every_room_says_what_it_is():
    rooms = {path.parent for path in MODULES}
    silent = [
        room.relative_to(SOURCE).as_posix()
        for room in sorted(rooms)
        if not (room / "__init__.py").is_file()
        or not ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    ]
    assert not silent
