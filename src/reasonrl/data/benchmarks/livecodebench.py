"""LiveCodeBench: problems of programming contests, by date, with public and private tests.

The private tests in a release file are JSON in a pickled string, compressed and in base64. The
string is taken from the pickle's opcodes; nothing is ever unpickled.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import zlib
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from reasonrl.data.benchmarks.adapter import Row, field, find_files, read_problems, user_turn
from reasonrl.data.benchmarks.hub import HubFiles
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem

# The largest size of one problem's tests; the largest known tests have about 100 MB.
_MAX_BYTES = 1 << 30
_LOCAL = ("livecodebench/test*.jsonl", "code_generation_lite/test*.jsonl", "livecodebench.jsonl*")
_STRING_OPS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_OTHER_OPS = frozenset({"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "STOP"})


def load_livecodebench(
    *, path: Path | None, since: date, until: date, release: int
) -> list[Problem]:
    """Return the problems of contests from `since` until the day before `until`.

    Release n consists of the first n of the files test.jsonl, test2.jsonl, ... `path` is one of the
    files or a directory that contains them; without it the files come from the hub.
    """
    files = tuple(f"test{number if number > 1 else ''}.jsonl" for number in range(1, release + 1))
    hub = HubFiles("livecodebench/code_generation_lite", files)
    paths = find_files(hub, _LOCAL, path, "livecodebench", is_one=False)
    if path is None or not path.is_file():
        paths = [file for file in paths if file.name in files]
        if missing := sorted(set(files) - {file.name for file in paths}):
            raise DataError(
                f"release {release} of livecodebench without {', '.join(missing)}",
                where=str(path),
                expected=f"all of {', '.join(files)}",
                remedy="add the missing files, or choose an earlier release",
            )
    return read_problems(paths, partial(_in_window, since, until))


def _in_window(since: date, until: date, row: Row, _index: str) -> Problem | None:
    raw = field(row, "contest_date")
    try:
        day = date.fromisoformat(raw[:10])
    except ValueError as error:
        raise DataError(f"contest_date {raw[:30]!r}", expected="a date, 2024-08-31") from error
    return _read(row) if since <= day < until else None


def _read(row: Row) -> Problem:
    tests = [*_tests(field(row, "public_test_cases")), *_tests(field(row, "private_test_cases"))]
    answer: dict[str, Any] = {
        "inputs": [test["input"] for test in tests],
        "outputs": [test["output"] for test in tests],
    }
    if name := _function_name(row):
        answer["fn_name"] = name
    return Problem(
        id=f"livecodebench-{field(row, 'question_id')}",
        prompt=user_turn(_prompt(row)),
        answer=json.dumps(answer),
        kind=Kind.CODE,
        source="livecodebench",
    )


def _function_name(row: Row) -> str:
    """Return the name of the tested function; empty if the tests run a whole program."""
    raw = row.get("metadata")
    try:
        metadata = json.loads(raw) if isinstance(raw, str) and raw.strip() else {}
        name = metadata.get("func_name") or ""
    except (ValueError, RecursionError, AttributeError) as error:
        raise DataError("unreadable metadata", expected="a JSON object") from error
    return str(name)


def _prompt(row: Row) -> str:
    """Return the problem and the form of the answer: completed starter code, or a program."""
    starter = row.get("starter_code")
    if isinstance(starter, str) and starter.strip():
        form = "Complete this code and give all of it in one ```python block."
        form += f"\n\n```python\n{starter.rstrip()}\n```"
    else:
        form = (
            "Write a Python program that reads standard input and writes the answer to standard "
            "output. Give it in one ```python block."
        )
    return f"{field(row, 'question_content').rstrip()}\n\n{form}"


def _tests(text: str) -> list[dict[str, Any]]:
    """Return a list of tests from JSON, or from JSON in a packed pickle."""
    try:
        tests = json.loads(text if text.lstrip().startswith("[") else _unpacked(text))
    except (ValueError, binascii.Error, zlib.error, RecursionError) as error:
        raise DataError(f"unreadable tests: {str(error)[:100]}") from error
    if not isinstance(tests, list) or not all(
        isinstance(test, dict) and {"input", "output"} <= test.keys() for test in tests
    ):
        raise DataError("tests of another form", expected="a list of {input, output}")
    return tests


def _unpacked(text: str) -> str:
    unpack = zlib.decompressobj()
    raw = unpack.decompress(base64.b64decode(text, validate=True), _MAX_BYTES)
    if unpack.unconsumed_tail:
        raise ValueError(f"more than {_MAX_BYTES >> 20} MB when unpacked")
    return _pickled_string(raw)


def _pickled_string(raw: bytes) -> str:
    """Return the string of a pickle that holds only a string, without running the pickle."""
    strings = []
    for opcode, argument, _ in pickletools.genops(raw):
        if opcode.name in _STRING_OPS:
            strings.append(str(argument))
        elif opcode.name not in _OTHER_OPS:
            raise ValueError(f"a pickle of more than a string ({opcode.name})")
    if len(strings) != 1:
        raise ValueError(f"a pickle of {len(strings)} strings")
    return strings[0]
