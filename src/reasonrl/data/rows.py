"""One row as a `Problem`: the plain form, or the schema of Skywork-OR1-RL-Data.

Does not touch files, and raises `DataError` without `where`: the caller knows file and row.
Does not check whether an answer is right or can be parsed; the verifier does.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from reasonrl.data.files import WrittenNumber
from reasonrl.errors import DataError
from reasonrl.types import Kind, Message, Problem

_PLAIN_KEYS = ("id", "prompt", "answer", "kind", "source", "difficulty")
_OTHER_WORDS = {
    "question": "prompt", "problem": "prompt", "instruction": "prompt", "query": "prompt",
    "solution": "answer", "gold": "answer", "target": "answer", "ground_truth": "answer",
}  # fmt: skip
_RELEASED_KEYS = ("data_source", "prompt", "ability", "reward_model")
ReadAnswer: TypeAlias = Callable[[str, Kind], str]
"""Returns the answer in a text, for a problem of this kind; DataError where there is none."""

_ROLES = ("system", "user", "assistant")
_EMPTY_ANSWERS = ("", "[]", '[""]')
_ATTEMPTS = 16  # difficulty counts the failures of so many attempts


def parse_row(
    value: object,
    *,
    needs_answer: bool = True,
    read_answer: ReadAnswer | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Problem:
    """Return the problem of one row; a key whose value is null counts as absent.

    A row with `reward_model` or `data_source` has the released schema. Any other row is plain; a
    key that looks like a misspelt key of a plain row is an error, and other keys are kept in
    `Problem.extra`, or `extra` where the caller has chosen them. Without an id a plain row gets the
    hash of its prompt and answer. `read_answer` takes the answer out of the text that holds it.
    """
    if not isinstance(value, Mapping):
        raise DataError(
            f"a row that is {_type_name(value)}",
            expected="one object with id, prompt and answer",
            remedy="write each problem as one object",
        )
    row = _without_nulls(value)
    if "reward_model" in row or "data_source" in row:
        problem = _parse_released(row, needs_answer)
    else:
        problem = _parse_plain(row, needs_answer, extra)
    if read_answer is not None and problem.answer:
        problem = replace(problem, answer=read_answer(problem.answer, problem.kind))
    return problem if problem.id else replace(problem, id=row_id(problem.prompt, problem.answer))


def _parse_plain(
    row: Mapping[str, object], needs_answer: bool, extra: Mapping[str, Any] | None
) -> Problem:
    if extra is None:
        extra = {key: plain_value(value) for key, value in row.items() if key not in _PLAIN_KEYS}
        _check_not_misspelt(extra, row)
    return Problem(
        id=_text(row["id"], "id") if "id" in row else "",
        prompt=_parse_prompt(row.get("prompt")),
        answer=_parse_answer(row.get("answer"), "answer", is_needed=needs_answer),
        extra=extra,
        kind=_parse_kind(row.get("kind", Kind.MATH), "kind"),
        source=_text(row["source"], "source") if "source" in row else "",
        difficulty=_parse_difficulty(row.get("difficulty"), "difficulty"),
    )


def _check_not_misspelt(extra: Iterable[str], row: Mapping[str, object]) -> None:
    """Raise DataError for a key that looks like a plain key which the row lacks."""
    for key in extra:
        meant = _OTHER_WORDS.get(key.lower()) or _nearest(key, _PLAIN_KEYS)
        if meant and meant not in row:
            raise DataError(
                f"unknown key {_show(key)}",
                expected=f"{', '.join(_PLAIN_KEYS)}, and columns that are not named alike",
                remedy=f'did you mean "{meant}"? Or name the column in the recipe: '
                f'fields = {{ {meant} = "{key}" }}',
            )


def row_id(prompt: Sequence[Message], answer: str) -> str:
    """Return the id of a row without one: the hash of its prompt and answer."""
    turns = [[turn.role, turn.content] for turn in prompt]
    return hashlib.blake2b(json.dumps([turns, answer]).encode(), digest_size=8).hexdigest()


def plain_value(value: object) -> Any:
    """Return a value of a row as plain JSON values; numbers as int or float, others as text."""
    if isinstance(value, WrittenNumber):
        if re.fullmatch(r"-?\d{1,18}", value.text):
            return int(value.text)
        number = float(value.text)
        return number if math.isfinite(number) else value.text
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


def _parse_released(row: Mapping[str, object], needs_answer: bool) -> Problem:
    source = _text(row.get("data_source"), "data_source")
    reward_model = _section(row, "reward_model")
    extra = _section(row, "extra_info")
    # The released AIME 2025 file has extra_info.id instead of extra_info.index.
    key = "id" if "id" in extra and "index" not in extra else "index"
    return Problem(
        id=f"{source}-{_text(extra.get(key), f'extra_info.{key}')}",
        prompt=_parse_prompt(row.get("prompt")),
        answer=_parse_answer(
            reward_model.get("ground_truth"), "reward_model.ground_truth", is_needed=needs_answer
        ),
        extra={key: plain_value(value) for key, value in row.items() if key not in _RELEASED_KEYS},
        kind=_parse_kind(row.get("ability"), "ability"),
        source=source,
        difficulty=_parse_difficulty(extra.get("model_difficulty"), "extra_info.model_difficulty"),
    )


def _parse_prompt(value: object) -> tuple[Message, ...]:
    if value is None or value == []:
        raise _missing("prompt", "a string, or a list of {role, content}")
    if isinstance(value, list):
        return tuple(_parse_message(turn) for turn in value)
    return (Message(role="user", content=_prose(value, "prompt")),)


def _parse_message(value: object) -> Message:
    turn = _without_nulls(value) if isinstance(value, Mapping) else {}
    if set(turn) != {"role", "content"}:
        content = f"keys {', '.join(turn) or 'none'}" if turn else _type_name(value)
        raise DataError(
            f"a prompt turn with {content}",
            expected="an object with role and content",
            remedy="write each turn as {role, content}",
        )
    role = turn["role"]
    if not isinstance(role, str) or role not in _ROLES:
        raise _unknown("role", role, _ROLES)
    return Message(role=role, content=_prose(turn["content"], "content"))


def _parse_answer(value: object, key: str, *, is_needed: bool = True) -> str:
    """Return text unchanged, a number as written, a list as a JSON list of strings."""
    if not is_needed and (value is None or value == ""):
        return ""
    if isinstance(value, list):
        answers = [_text(item, key) for item in value]
        value = json.dumps(answers, ensure_ascii=False)
    answer = _text(value, key)
    if answer.strip() in _EMPTY_ANSWERS:
        raise _missing(key, "an answer")
    return answer


def _parse_kind(value: object, key: str) -> Kind:
    kinds = [str(kind) for kind in Kind]
    if value is None:
        raise _missing(key, f"one of {', '.join(kinds)}")
    if not isinstance(value, str) or value.lower() not in kinds:
        raise _unknown(key, value, kinds)
    return Kind(value.lower())  # DAPO's rows have "MATH"


def _parse_difficulty(value: object, key: str) -> dict[str, int]:
    """Return failures of 16 by model; a model without a number is left out."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DataError(
            f"{key} is {_type_name(value)}",
            expected="an object from model name to failures of 16",
            remedy="write it as {model name: failures}",
        )
    difficulty: dict[str, int] = {}
    for model, count in _without_nulls(value).items():
        text = _number_text(count) or ""
        if not text.isdecimal() or len(text) > 2 or int(text) > _ATTEMPTS:
            raise DataError(
                f"{key} of {_show(model)} is {_show(count)}",
                expected=f"a whole number from 0 to {_ATTEMPTS}",
                remedy="count the failures of 16 attempts",
            )
        difficulty[model] = int(text)
    return difficulty


def _prose(value: object, key: str) -> str:
    """Return a string unchanged; refuse a number, which cannot be a prompt."""
    if value is not None and not isinstance(value, str):
        raise _not_a_string(value, key)
    return _text(value, key)


def _text(value: object, key: str) -> str:
    """Return a string unchanged, or a number as written; refuse blank text and other values."""
    text = value if isinstance(value, str) else _number_text(value)
    if value is None or (text is not None and not text.strip()):
        raise _missing(key, "text")
    if text is None:
        raise _not_a_string(value, key)
    if has_half_surrogate(text):
        raise DataError(
            f"{key} holds half a surrogate pair", expected="Unicode text", remedy="repair the text"
        )
    return text


def has_half_surrogate(text: str) -> bool:
    """Return whether a text contains half a surrogate pair, which no UTF-8 file can."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _number_text(value: object) -> str | None:
    """Return the text of a finite number; None for any other value, also for a boolean."""
    if isinstance(value, WrittenNumber):
        return value.text
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return json.dumps(value)


def _section(row: Mapping[str, object], key: str) -> dict[str, object]:
    value = row.get(key)
    if not isinstance(value, Mapping):
        raise _missing(key, "an object, as in Skywork-OR1-RL-Data")
    return _without_nulls(value)


def _without_nulls(row: Mapping[object, object]) -> dict[str, object]:
    return {str(key): value for key, value in row.items() if value is not None}


def _not_a_string(value: object, key: str) -> DataError:
    return DataError(
        f"{key} is {_type_name(value)}", expected="a string", remedy="write it as a string"
    )


def _missing(key: str, expected: str) -> DataError:
    return DataError(f"missing or empty {key}", expected=expected, remedy="fill it or drop the row")


def _unknown(key: str, value: object, known: Iterable[str]) -> DataError:
    names = list(known)
    meant = _nearest(value, names) if isinstance(value, str) else ""
    return DataError(
        f"unknown {key} {_show(value)}",
        expected=f"one of {', '.join(names)}",
        remedy=f'did you mean "{meant}"?' if meant else "use one of these values",
    )


def _nearest(word: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(word.lower(), list(known), n=1)), "")


def _show(value: object) -> str:
    """Return a value's text, short enough for one line of an error."""
    text = value.text if isinstance(value, WrittenNumber) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _type_name(value: object) -> str:
    """Return the JSON name of a value's type."""
    names = {str: "a string", bool: "true or false", list: "a list", dict: "an object"}
    if value is None:
        return "null"
    if isinstance(value, WrittenNumber) or type(value) in (int, float):
        return "a number"
    return names.get(type(value), f"a {type(value).__name__}")
