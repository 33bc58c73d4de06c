"""Read the rows of a JSONL file of responses: synonyms, golds of any form, and what is wrong.

A row that cannot be read becomes a `Row` with a fault and never stops the other rows. Judges
nothing. Called by `batch_file`; docs/verifiers.md describes the rows.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reasonrl.errors import DataError
from reasonrl.types import Kind, StopReason, Task, VerifyItem

KEYS = ("id", "kind", "response", "gold", "tests", "limits", "stop_reason", "finish_reason")
_OTHER_WORDS = {
    "answer": "gold", "ground_truth": "gold", "solution": "gold", "target": "gold",
    "completion": "response", "output": "response", "text": "response",
}  # fmt: skip
"""Keys of other tools. Their rows may have both, so such a key is no misspelling."""
_STOP_WORDS = {
    "stop": StopReason.STOP, "eos": StopReason.STOP, "eos_token": StopReason.STOP,
    "end_turn": StopReason.STOP, "stop_sequence": StopReason.STOP,
    "length": StopReason.LENGTH, "max_tokens": StopReason.LENGTH,
}  # fmt: skip
_MISSPELT = 0.7
"""The likeness from which on an unknown key counts as a misspelling of a known key."""
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the input: what is to be judged, or the fault that forbids it.

    `where` is file:line and `text` the line without blanks at its ends. `unknown` holds keys that
    nothing reads.
    """

    where: str
    text: bytes
    id: str | None = None
    item: VerifyItem | None = None
    fault: str = ""
    unknown: tuple[str, ...] = ()


class _Decimal(float):
    """A JSON number with a point or an exponent, and its text: 0.50 is another gold than 0.5."""

    text: str

    @classmethod
    def of(cls, text: str) -> _Decimal:
        number = cls(text)
        number.text = text
        return number


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file; blank lines are none. A byte-order mark at the start is skipped.

    Raises DataError for a file that cannot be opened or read twice.
    """
    if path.exists() and not path.is_file():
        raise DataError(
            "not a regular file", where=str(path), expected="a file that can be read twice"
        )
    try:
        with path.open("rb") as source:
            for number, line in enumerate(source, start=1):
                text = (line.removeprefix(_BOM) if number == 1 else line).strip()
                if text:
                    yield _read_row(text, f"{path}:{number}")
    except OSError as error:
        raise DataError(
            f"cannot be read: {error}", where=str(path), expected="a UTF-8 JSONL file"
        ) from error


def check_ids(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows again; raise DataError at an id that an earlier row has."""
    places: dict[str, str] = {}
    for row in rows:
        if row.id is not None and (first := places.setdefault(row.id, row.where)) != row.where:
            raise DataError(
                f"id = {row.id!r} is also the id of {first}",
                where=row.where,
                expected="an id of its own for each row",
                remedy="rename or drop one of the two rows; nothing was judged",
            )
        yield row


def nearest_key(key: str) -> str:
    """Return the known key that an unknown key may mean; empty if it resembles none."""
    near = difflib.get_close_matches(key.lower(), KEYS, n=1)
    return _OTHER_WORDS.get(key.lower()) or next(iter(near), "")


def _read_row(text: bytes, where: str) -> Row:
    identity: str | None = None
    try:
        row = _parse(text, where)
        identity = _read_id(row, where)
        unknown = tuple(key for key in row if key not in KEYS)
        _refuse_misspelt(row, unknown, where)
        item = _read_item(row, where)
        return Row(where=where, text=text, id=identity, item=item, unknown=unknown)
    except DataError as error:
        return Row(where=where, text=text, id=identity, fault=str(error))


def _parse(text: bytes, where: str) -> dict[str, object]:
    try:
        row = json.loads(text.decode("utf-8"), parse_float=_Decimal.of)
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error}", where=where, expected="UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"not JSON: {error}", where=where, expected="one JSON object in each line"
        ) from error
    if not isinstance(row, dict):
        raise DataError("not a JSON object", where=where, expected="one JSON object in each line")
    return row


def _read_id(row: Mapping[str, object], where: str) -> str:
    identity = row.get("id")
    if identity is None or isinstance(identity, (bool, dict, list)):
        raise DataError(f"id = {identity!r}", where=where, expected="a string or a number")
    return identity.text if isinstance(identity, _Decimal) else str(identity)


def _refuse_misspelt(row: Mapping[str, object], unknown: Iterable[str], where: str) -> None:
    """Refuse an unknown key that is nearly a known key, unless the row has that key too."""
    for key in unknown:
        near = difflib.get_close_matches(key.lower(), KEYS, n=1, cutoff=_MISSPELT)
        if near and near[0] not in row:
            raise DataError(
                f"unknown key {key!r}",
                where=where,
                expected=f"only {', '.join(KEYS)}",
                remedy=f"did you mean {near[0]!r}?",
            )


def _read_item(row: Mapping[str, object], where: str) -> VerifyItem:
    kind = _read_kind(row, where)
    answer = _read_tests(row) if kind is Kind.CODE else _read_gold(row.get("gold"), where)
    response = row.get("response")
    if not isinstance(response, str):
        raise DataError(f"response = {response!r}", where=where, expected="a string")
    return VerifyItem(
        task=Task(kind=kind, answer=answer),
        response=response,
        stop_reason=_read_stop_reason(row, where),
    )


def _read_kind(row: Mapping[str, object], where: str) -> Kind:
    value = row.get("kind")
    try:
        return Kind.MATH if value is None else Kind(str(value))
    except ValueError as error:
        raise DataError(
            f"kind = {value!r}", where=where, expected=f"one of {[str(m) for m in Kind]}"
        ) from error


def _read_stop_reason(row: Mapping[str, object], where: str) -> StopReason | None:
    """Return the reason why a response ended, under either key; None if neither has a value.

    Beside a `finish_reason`, vLLM's `stop_reason` holds the token or the text that stopped the
    response: it counts only if it is one of the known words.
    """
    finish, stop = row.get("finish_reason"), row.get("stop_reason")
    if finish is None:
        return None if stop is None else _stop_reason_of("stop_reason", stop, where)
    reason = _stop_reason_of("finish_reason", finish, where)
    if _STOP_WORDS.get(str(stop).lower(), reason) is not reason:
        raise DataError(
            f"finish_reason = {finish!r} and stop_reason = {stop!r}",
            where=where,
            expected="two values that agree",
            remedy="write one of the two",
        )
    return reason


def _stop_reason_of(key: str, value: object, where: str) -> StopReason:
    reason = _STOP_WORDS.get(str(value).lower())
    if reason is None:
        raise DataError(f"{key} = {value!r}", where=where, expected=f"one of {list(_STOP_WORDS)}")
    return reason


def _read_tests(row: Mapping[str, object]) -> str:
    """Return the tests as an answer key; `limits` may be beside them or inside.

    Invalid tests are no fault of the row: its verdict will be NO_TESTS.
    """
    tests = row.get("tests")
    if isinstance(tests, dict) and "limits" in row:
        return json.dumps(tests | {"limits": row["limits"]})
    return tests if isinstance(tests, str) else json.dumps(tests)


def _read_gold(gold: object, where: str) -> str:
    """Return a gold as an answer key: text as it is, a number as written, a list of accepted ones.

    Each item of a JSON list is right alone, as in the problem files: `[1, 2]` accepts 1 and 2.
    """
    if isinstance(gold, list):
        return json.dumps([_gold_text(part, gold, where) for part in gold], ensure_ascii=False)
    return _gold_text(gold, gold, where)


def _gold_text(value: object, gold: object, where: str) -> str:
    if isinstance(value, _Decimal) and math.isfinite(value):
        return value.text
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise DataError(
            f"gold = {gold!r}", where=where, expected="a string, a number, or a list of these"
        )
    return value
