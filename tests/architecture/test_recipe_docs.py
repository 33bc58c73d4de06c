"""Every field of a recipe has a docstring under it."""

import ast

from tests.conftest import REPOSITORY

ROOM = REPOSITORY / "src" / "reasonrl" / "recipe"


def _bare_fields(record: ast.ClassDef) -> list[str]:
    """The annotated fields of a class that no string follows."""
    following = [*record.body[1:], None]
    return [
        f"{record.name}.{ast.unparse(line.target)}"
        for line, after in zip(record.body, following, strict=True)
        if isinstance(line, ast.AnnAssign)
        and "ClassVar" not in ast.unparse(line.annotation)
        and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]


def test_every_field_says_what_it_is():
    records = [
        node
        for name in ("run", "stages", "engine", "sources")
        for node in ast.parse((ROOM / f"{name}.py").read_text()).body
        if isinstance(node, ast.ClassDef)
    ]
    assert len(records) > 25
    assert [field for record in records for field in _bare_fields(record)] == []
