"""Rows in the form that their owner gave them: named columns, a prompt template, filters.

A `RowForm` says where prompt and answer stand in a row; `rows.parse_row` reads the result. Columns
that nobody named are kept in `Problem.extra`, for reward functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from reasonrl.data.files import WrittenNumber
from reasonrl.data.rows import ReadAnswer, parse_row, plain_value
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem

Wanted: TypeAlias = str | int | float | bool

FIELDS = ("prompt", "answer", "id", "kind", "source", "difficulty", "tests")
"""The parts of a problem that a column can be named for."""

_SLOT = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowForm:
    """How rows become problems.

    `fields` maps a part of a problem to a column, or to a dotted path into one. `read_answer`
    takes the answer out of the text that holds it. `template` is the text of a prompt with columns
    in braces. `where` keeps the rows whose column has one of the values. Without `needs_answer` a
    row may have no answer.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    read_answer: ReadAnswer | None = None
    template: str | None = None
    where: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict)
    needs_answer: bool = True

    def problem(self, value: object) -> Problem | None:
        """Return the problem of a row; None for a row that `where` leaves out.

        Raises DataError for a row that cannot be read.
        """
        extra = None
        if isinstance(value, Mapping):
            if not all(self._is_wanted(value, name) for name in self.where):
                return None
            value, extra = self._named(value)
        return parse_row(
            value, needs_answer=self.needs_answer, read_answer=self.read_answer, extra=extra
        )

    def _is_wanted(self, row: Mapping[str, Any], name: str) -> bool:
        found = plain_value(column(row, name))
        return any(_is_same(found, wanted) for wanted in self.where[name])

    def _named(self, row: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
        """Return a plain row made of the named columns and the template, and the other columns.

        The other columns are None where the row already has a form that `parse_row` knows.
        """
        if not self.fields and self.template is None:
            return row, None
        if "reward_model" in row and not self.fields:
            return {**row, "prompt": fill(self.template or "", row)}, None
        plain = {part: column(row, name) for part, name in self.fields.items()}
        if "tests" in plain:
            tests = plain.pop("tests")
            plain["answer"] = tests if isinstance(tests, str) else json.dumps(plain_value(tests))
            plain.setdefault("kind", Kind.CODE.value)
        as_it_is = {
            part: row[part]
            for part in FIELDS[:-1]
            if part in row and part not in plain and _fits(part, row[part])
        }
        plain = {**as_it_is, **plain}
        if self.template is not None:
            plain["prompt"] = fill(self.template, {**row, **_texts(plain)})
        named = {name.partition(".")[0] for name in self.fields.values()} | as_it_is.keys()
        extra = {name: plain_value(value) for name, value in row.items() if name not in named}
        return plain, extra


def behind(mark: str) -> ReadAnswer:
    """Return the reader of answers that stand behind the last `mark`."""

    def read(text: str, _kind: Kind) -> str:
        answer = text.rpartition(mark)[2].strip() if mark in text else ""
        if not answer:
            raise DataError(
                f'nothing behind "{mark}" in the answer',
                expected="the text behind which the answer stands",
                remedy="correct answer_after",
            )
        return answer

    return read


def column(row: Mapping[str, Any], name: str) -> Any:
    """Return a column, or the value at a dotted path into one; numbers index lists.

    Raises DataError that lists the columns where there is none.
    """
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise DataError(
                f'no column "{name}"',
                expected=f"one of {', '.join(map(str, row)) or 'none: the row is empty'}",
                remedy="correct `fields`, `where` or the template",
            )
    return value


def fill(template: str, row: Mapping[str, Any]) -> str:
    """Return a template with its columns filled in; `{{` and `}}` are braces.

    Raises DataError for a single brace and for a name that is no column.
    """

    def slot(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None or not match[1].strip():
            raise DataError(
                f"a single {match[0][0]!r} in the prompt template",
                expected="columns in braces, as in {question}",
                remedy="double every other brace: {{ and }}",
            )
        return _text(column(row, match[1].strip()))

    return _SLOT.sub(slot, template)


def read_template(path: Path) -> str:
    """Return the text of a template file; raise DataError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the prompt template cannot be read: {error}",
            where=str(path),
            remedy="check the path; it starts at the recipe's directory",
        ) from error


def _fits(part: str, value: Any) -> bool:
    """Return whether a column that nobody named holds what a plain row has under its name."""
    match part:
        case "kind":
            return str(value).lower() in [str(kind) for kind in Kind]
        case "difficulty":
            return isinstance(value, Mapping)
        case "source":
            return isinstance(value, str)
    return True


def _texts(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {part: value for part, value in plain.items() if isinstance(value, str | WrittenNumber)}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        raise DataError(
            "a column of the prompt template is null",
            expected="text or a number",
            remedy="fill the column, or leave out the row with `where`",
        )
    return value.text if isinstance(value, WrittenNumber) else json.dumps(plain_value(value))


def _is_same(found: Any, wanted: Wanted) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return float(found) == float(wanted)
    return str(found) == str(wanted)  # a CSV has numbers as text
