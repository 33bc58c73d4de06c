"""Heavy libraries stay in the rooms that are named here. A new module cannot escape the rule."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SOURCE = REPOSITORY / "src" / "reasonrl"

HOME = {
    # The check of a GPU asks torch itself: which kernels ran, how much memory a card has left; that
    # of a model compares gradients.
    "torch": ("algo", "models", "engines", "gpu", "admission"),
    "transformers": ("models",),
    "peft": ("models",),
    "bitsandbytes": ("models",),
    "ray": ("engines/remote",),
    "vllm": ("engines/vllm",),
    "sympy": ("verify/math/worker.py",),
    "math_verify": ("verify/math/worker.py",),
    "typer": ("cli",),
    "rich": ("cli/show", "terminal.py"),
}
"""The only places that may import a library, as folders or files below `src/reasonrl`."""


def _imports(path: Path) -> set[str]:
    """Return the first names of all modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _is_at_home(user: str, homes: tuple[str, ...]) -> bool:
    return any(user == home or user.startswith(f"{home}/") for home in homes)


@pytest.mark.parametrize("library", HOME)
def test_a_heavy_library_is_imported_in_its_home_only(library):
    users = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if library in _imports(path)
    }
    assert users, f"nothing imports {library}: take it out of the table"
    homes = HOME[library]
    strays = {
        user for user in users if not any(user == h or user.startswith(h + "/") for h in homes)
    }
    assert not strays


def test_the_homes_exist():
    assert all((SOURCE / home).exists() for homes in HOME.values() for home in homes)
