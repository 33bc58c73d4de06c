"""A docstring that says who calls a module is right: `Called by` names modules that import it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from tests.conftest import REPOSITORY

SOURCE = REPOSITORY / "src" / "reasonrl"


def _name(path) -> str:
    dotted = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


def _is_ours(module: str | None) -> bool:
    return (module or "").partition(".")[0] == "reasonrl"


def _importers() -> dict[str, set[str]]:
    """The modules that import each module, by name below the package."""
    importers = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.level or _is_ours(node.module)):
                above = ".".join(_name(path).split(".")[: -node.level]) if node.level else ""
                module = f"{above}.{(node.module or '').removeprefix('reasonrl')}".strip(".")
                module = module.replace("..", ".")
                importers[module].add(_name(path))
                for alias in node.names:
                    importers[f"{module}.{alias.name}".lstrip(".")].add(_name(path))
    return importers


def test_called_by_names_modules_that_import_it():
    importers = _importers()
    wrong = {}
    for path in sorted(SOURCE.rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        said = re.search(r"Called by ([^.]*(?:\.\w[^.]*)*)\.", docstring.replace("\n", " "))
        if said is None:
            continue
        callers = importers[_name(path)]
        for name in re.findall(r"`([\w.]+)`", said[1]):
            if not any(re.search(rf"(^|\.){re.escape(name)}(\.|$)", caller) for caller in callers):
                wrong.setdefault(_name(path), []).append(name)
    assert not wrong
