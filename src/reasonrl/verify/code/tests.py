"""Read the tests of a code task: one JSON object in one of the four shapes of public data sets.

Judges and runs nothing. Raises `DataError` for an object that is no test set at all, which is a
fault of the task and never of a program. Called by `verdict` and by the readers of problem files.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard

from reasonrl.errors import DataError
from reasonrl.verify.code.json_values import arguments_of, load, value_of
from reasonrl.verify.sandbox import values
from reasonrl.verify.sandbox.frames import Malformed
from reasonrl.verify.sandbox.job import ANY_NAME, TestKind

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
    tolerance: float | None = None
    time_s: float | None = None
    memory_mb: int | None = None


# The rollouts of a group ask for the same tests one after another; few are kept, as tests can be
# large.
@lru_cache(maxsize=32)
def read_tests(text: str) -> TestSet:
    """Return the test set of an answer key. Its key `limits` may hold `time_s` and `memory_mb`."""
    given = _given(text)
    if isinstance(given, list) and given:
        given = _of_list(given)
    if not isinstance(given, dict):
        raise _no_tests(f"a {type(given).__name__}")
    if given.get("checker") not in (None, ""):
        raise _no_tests(f"an unknown checker {str(given['checker'])[:40]!r}")
    for key, read in _SHAPES.items():
        if key in given:
            return read(given, **_read_limits(given.get("limits")), **_read_tolerance(given))
    raise _no_tests(f"keys {', '.join(map(repr, sorted(given)[:6])) or 'none'}")


def _given(text: str) -> Any:
    """Return the JSON value of a text; JSON that holds a text of JSON is read once more."""
    try:
        given = load(text)
        return load(given) if isinstance(given, str) else given
    except (ValueError, RecursionError) as error:
        raise _no_tests(f"not JSON: {str(error)[:100]}") from error


def _of_list(rows: list[Any]) -> Any:
    """Return LiveCodeBench's list of tests as an object: `input`, `output` and `testtype` each."""
    if not all(isinstance(row, dict) and {"input", "output"} <= row.keys() for row in rows):
        return rows
    kinds = {str(row.get("testtype") or "stdin") for row in rows}
    if len(kinds) > 1 or not kinds <= {"stdin", "functional"}:
        raise _no_tests(f"testtype = {sorted(kinds)}")
    given = {key: [row[f"{key[:-1]}"] for row in rows] for key in ("inputs", "outputs")}
    return {"fn_name": _name_in(rows[0]), **given} if kinds == {"functional"} else given


def _name_in(row: Mapping[str, Any]) -> str:
    """Return the name of a functional test, empty where the list does not hold it."""
    metadata = row.get("metadata")
    holders = [row, metadata if isinstance(metadata, dict) else {}]
    names = [holder.get(key) for holder in holders for key in ("fn_name", "func_name")]
    return next((name for name in names if isinstance(name, str) and name), ANY_NAME)


def _scripts(given: Mapping[str, Any], **limits: Any) -> TestSet:
    inputs, outputs = _pairs(given)
    tests = [
        {"input": _stream(given_input, "inputs"), "output": _stream(output, "outputs")}
        for given_input, output in zip(inputs, outputs, strict=True)
    ]
    return TestSet(kind="scripts", tests=tuple(tests), **limits)


def _calls(given: Mapping[str, Any], **limits: Any) -> TestSet:
    if given["fn_name"] in (None, ""):
        return _scripts(given, **limits)
    inputs, outputs = _pairs(given)
    tests = [
        {
            "arguments": _table(arguments_of(given_input)),
            "expected": _table(value_of(output)),
            "is_apps": not isinstance(given_input, str) and not isinstance(output, str),
        }
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
    """Read assertions. A text without any is no test of its own: it prepares the others."""
    texts = [_text(test, "assert_case") for test in _list(given, "assert_case")]
    idle = [text for text in texts if _is_idle(text)]
    tests = [text for text in texts if not _is_idle(text)]
    if not tests:
        raise _no_tests("assert_case asserts nothing")
    return TestSet(
        kind="asserts",
        tests=tuple(tests),
        entry_point=_text(given.get("entry_point") or "", "entry_point"),
        prefix=_text(given.get("import_prefix") or "", "import_prefix"),
        setup="\n".join([_text(given.get("test_setup_code") or "", "test_setup_code"), *idle]),
        **limits,
    )


def _is_idle(text: str) -> bool:
    """Return whether a text only imports, defines, assigns, and calls methods."""
    try:
        with warnings.catch_warnings():
            # The caller did not write these tests: a warning about them is not for the caller.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # The judge will say what is wrong with it.
        return False
    has_assertion = any(isinstance(node, (ast.Assert, ast.Raise)) for node in ast.walk(tree))
    return not has_assertion and all(_is_preparation(line) for line in tree.body)


def _is_preparation(line: ast.stmt) -> bool:
    if isinstance(line, ast.ClassDef):
        # A class of tests that nobody runs is no preparation.
        return not line.bases
    if not isinstance(line, ast.Expr):
        return isinstance(line, _IDLE)
    function = line.value.func if isinstance(line.value, ast.Call) else None
    is_method = isinstance(function, ast.Attribute) and not function.attr.startswith("assert")
    is_print = isinstance(function, ast.Name) and function.id == "print"
    return is_method or is_print or isinstance(line.value, ast.Constant)


_IDLE = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Pass,
         ast.FunctionDef)  # fmt: skip
_SHAPES: Mapping[str, Callable[..., TestSet]] = {
    "fn_name": _calls,
    "assert_case": _asserts,
    "test_code": _check,
    "inputs": _scripts,
}


def _table(value: object) -> dict[str, Any]:
    """Return a value as its table, which carries sets, tuples and integers of any length."""
    try:
        return values.encode(value, {}, _keep)
    except (Malformed, ValueError, RecursionError) as error:
        raise _no_tests(f"a value that is no data: {str(error)[:80]}") from error


def _keep(value: object) -> int:
    raise ValueError(type(value).__name__)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
        if not _is_number(value) or not low < value <= high:
            raise DataError(f"limits.{key} = {value!r}", expected=f"a number up to {high:g}")
        limits[key] = float(value) if key == "time_s" else int(value)
    return limits


def _read_tolerance(given: Mapping[str, Any]) -> dict[str, Any]:
    value = given.get("tolerance")
    if value is None:
        return {}
    if not _is_number(value) or not 0 < value < 1:
        raise _no_tests(f"tolerance = {str(value)[:40]}")
    if "inputs" not in given:
        raise _no_tests("a tolerance beside tests that compare by themselves")
    return {"tolerance": float(value)}


def _pairs(given: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    inputs, outputs = _list(given, "inputs"), _list(given, "outputs")
    if len(inputs) != len(outputs):
        raise _no_tests(f"{len(inputs)} inputs and {len(outputs)} outputs")
    return inputs, outputs


def _list(given: Mapping[str, Any], key: str) -> list[Any]:
    value = given.get(key)
    if not isinstance(value, list) or not value:
        raise _no_tests(f"{key} holds a {type(value).__name__}, or nothing")
    return value


def _text(value: object, key: str) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        # Some data sets hold a text as a list of its lines.
        return "\n".join(value)
    if not isinstance(value, str):
        raise _no_tests(f"{key} holds a {type(value).__name__}")
    return value


def _stream(value: object, key: str) -> str:
    """Return the text of an input or an output; a number stands for its own text."""
    if isinstance(value, list):
        return "\n".join(_stream(line, key) for line in value)
    if _is_number(value):
        return _text_of_number(value)
    return _text(value, key)


def _text_of_number(value: float) -> str:
    try:
        return repr(value)
    except ValueError as error:
        raise _no_tests("a number of too many digits; write it as a text") from error


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
