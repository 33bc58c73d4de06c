"""What is wrong with a value of a recipe, in our own words: pydantic finds it, and says less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "a text in quotes",
    "bool": "true or false",
    "list": "a list in square brackets",
    "tuple": "a list in square brackets",
    "dict": "a table",
    "model": "a table",
    "date": "a date such as 2026-11-29",
    "path": "a path in quotes",
    "literal": "one of {expected}",
    "enum": "one of {expected}",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number less than {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "union_tag_invalid": "one of {expected_tags}",
    "union_tag_not_found": "a key `type` that says which kind of table it is",
    "string_too_short": "a text with at least {min_length} letters",
}
"""What is expected, by the beginning of pydantic's name for a fault; braces are of its context."""

_PATTERN = "letters, digits, dashes, underscores and dots, beginning with a letter or a digit"


def fault_of(error: Mapping[str, Any], key: str, shown: str) -> tuple[str, str]:
    """Return what is wrong with the value of a key, and what is expected.

    `shown` is the value as a person sees it, empty for a table.
    """
    kind, context = str(error["type"]), dict(error.get("ctx") or {})
    if kind == "value_error":
        said = str(error["msg"]).removeprefix("Value error, ")
        return (f"{key} = {shown}: {said}" if shown else f"{key}: {said}" if key else said), ""
    if kind == "missing":
        return f"{key} is missing", "a value for it"
    what = f"{key} = {shown}" if shown else f"{key} is a table" if key else "the recipe is no table"
    if kind == "string_pattern_mismatch":
        return what, _PATTERN if context["pattern"].startswith("^[A-Za-z0-9]") else _form(context)
    if kind == "union_tag_invalid":
        what = f"{key}.type = {context['tag']!r}"
    known = [name for name in _KINDS if kind.startswith(name)]
    form = _KINDS[max(known, key=len)] if known else "another value"
    return what, form.format(**context)


def _form(context: Mapping[str, Any]) -> str:
    """Return what a text must look like, for the patterns that recipes have besides names."""
    pattern = str(context["pattern"])
    if "https?" in pattern:
        return "an address that begins with http:// or https://"
    if ":[A-Za-z_]" in pattern:
        return "FILE.py:NAME" + (', "group" or "rloo"' if "rloo" in pattern else "")
    return f"a text of the form {pattern}"
