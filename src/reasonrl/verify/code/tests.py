"""Read the tests of a code task: one JSON object in one of the four shapes of public data sets.

Judges and runs nothing. Raises `DataError` for an object that is no test set at all, which is a
fault of the task and never of a program. Called by `verdict` and by the readers of problem files.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reasonrl.errors import DataError
from reasonrl.verify.sandbox.job import TestKind

MAX_TIME_S = 120.0
MAX_MEMORY_MB = 16_384
_MIN_MEMORY_MB = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """The tests of one task, as `sandbox.job.ProgramJob` holds them; a limit may be None."""

    # Pytest must not collect this class.
    __test__ = False

    kind: TestKind
    tests: tuple[Any, ...]
    entry_point: str = ""
    prefix: str = ""
    setup: str = ""
    time_s: float | None = None
    memory_mb: int | None = None


# The rollouts of a group ask for the same tests one after another; few are kept, as tests can be
# large.
@lru_cache(maxsize=32)
def read_tests(text: str) -> TestSet:
    """Return the test set of an answer key. Its key `limits` may hold `time_s` and `memory_mb`."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_tests(f"not JSON: {str(error)[:100]}") from error
    if not isinstance(given, dict):
        raise _no_tests(f"a {type(given).__name__}")
    for key, read in _SHAPES.items():
        if key in given:
            return read(given, **_read_limits(given.get("limits")))
    raise _no_tests(f"keys {', '.join(map(repr, sorted(given)[:6])) or 'none'}")


def _scripts(given: Mapping[str, Any], **limits: Any) -> TestSet:
    inputs, outputs = _pairs(given)
    tests = [
        {"input": _text(given_input, "inputs"), "output": _text(output, "outputs")}
        for given_input, output in zip(inputs, outputs, strict=True)
    ]
    return TestSet(kind="scripts", tests=tuple(tests), **limits)


def _calls(given: Mapping[str, Any], **limits: Any) -> TestSet:
    if given["fn_name"] in (None, ""):
        return _scripts(given, **limits)
    inputs, outputs = _pairs(given)
    tests = [
        {"arguments": _arguments(given_input), "expected": _json_value(output)}
        for given_input, output in zip(inputs, outputs, strict=True)
    ]
    return TestSet(kind="calls", tests=tuple(tests), entry_point=_word(given, "fn_name"), **limits)


def _check(given: Mapping[str, Any], **limits: Any) -> TestSet:
    source = _text(given["test_code"], "test_code")
    if not source.strip():
        raise _no_tests("an empty test_code")
    return TestSet(
        kind="check",
        tests=(source,),
        entry_point=_word(given, "entry_point"),
        prefix=_text(given.get("import_prefix") or "", "import_prefix"),
        **limits,
    )


def _asserts(given: Mapping[str, Any], **limits: Any) -> TestSet:
    tests = _list(given, "assert_case")
    return TestSet(
        kind="asserts",
        tests=tuple(_text(test, "assert_case") for test in tests),
        entry_point=_text(given.get("entry_point") or "", "entry_point"),
        prefix=_text(given.get("import_prefix") or "", "import_prefix"),
        setup=_text(given.get("test_setup_code") or "", "test_setup_code"),
        **limits,
    )


_SHAPES: Mapping[str, Callable[..., TestSet]] = {
    "fn_name": _calls,
    "assert_case": _asserts,
    "test_code": _check,
    "inputs": _scripts,
}


def _arguments(written: object) -> list[Any]:
    """Return the arguments of one call: a list as it is, or a text with one JSON value a line."""
    if isinstance(written, list):
        return written
    text = _text(written, "inputs")
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        pass
    try:
        # The text may be a single value that spans several lines.
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return [_json_value(line) for line in text.split("\n") if line.strip()]


def _json_value(written: object) -> Any:
    """Read a JSON value, else a Python literal; else return the text itself."""
    if not isinstance(written, str):
        return written
    for read in (json.loads, ast.literal_eval):
        try:
            return read(written.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return written


def _read_limits(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict) or given.keys() - {"time_s", "memory_mb"}:
        raise DataError(
            f"limits = {json.dumps(given)[:80]}", expected='{"time_s": ..., "memory_mb": ...}'
        )
    limits: dict[str, Any] = {}
    for key, low, high in (
        ("time_s", 0.0, MAX_TIME_S),
        ("memory_mb", _MIN_MEMORY_MB, MAX_MEMORY_MB),
    ):
        if (value := given.get(key)) is None:
            continue
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not low < value <= high:
            raise DataError(f"limits.{key} = {value!r}", expected=f"a number up to {high:g}")
        limits[key] = float(value) if key == "time_s" else int(value)
    return limits


def _pairs(given: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    inputs, outputs = _list(given, "inputs"), _list(given, "outputs")
    if len(inputs) != len(outputs):
        raise _no_tests(f"{len(inputs)} inputs and {len(outputs)} outputs")
    return inputs, outputs


def _list(given: Mapping[str, Any], key: str) -> list[Any]:
    value = given.get(key)
    if not isinstance(value, list) or not value:
        raise _no_tests(f"{key} = {json.dumps(value)[:40]}")
    return value


def _text(value: object, key: str) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        # Some data sets hold a text as a list of its lines.
        return "\n".join(value)
    if not isinstance(value, str):
        raise _no_tests(f"{key} holds a {type(value).__name__}")
    return value


def _word(given: Mapping[str, Any], key: str) -> str:
    if not (word := _text(given.get(key) or "", key).strip()):
        raise _no_tests(f"no {key}")
    return word


def _no_tests(what: str) -> DataError:
    return DataError(
        f"no tests: {what}",
        expected="inputs and outputs, with fn_name or without; test_code; or assert_case",
        remedy="give the tests one of the four shapes in docs/verifiers.md",
    )
