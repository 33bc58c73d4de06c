"""LiveCodeBench: problems of programming contests, by date, with public and private tests.

The private tests of a release file are JSON in a pickled string, compressed and in base64. The
string is read out of the pickle's opcodes; nothing is ever unpickled.
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

_MAX_BYTES = 1 << 30  # of one problem's tests; the largest known have some 100 MB
_LOCAL = ("livecodebench/test*.jsonl", "code_generation_lite/test*.jsonl", "livecodebench.jsonl*")
_STRING_OPS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_OTHER_OPS = frozenset({"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "STOP"})


def load_livecodebench(
    *, path: Path | None, since: date, until: date, release: int
) -> list[Problem]:
    """Return the problems of contests from `since` up to, not including, `until`.

    Release n is the first n of the files test.jsonl, test2.jsonl, ... `path` is one of them or a
    directory that holds them; without it they come from the hub.
    """
    files = tuple(f"test{number if number > 1 else ''}.jsonl" for number in range(1, release + 1))
    hub = HubFiles("livecodebench/code_generation_lite", files)
    paths = find_files(hub, _LOCAL, path, "livecodebench", is_one=False)
    if path is None or not path.is_file():
        paths = [one for one in paths if one.name in files]
        if missing := sorted(set(files) - {one.name for one in paths}):
            raise DataError(
                f"release {release} of livecodebench without {', '.join(missing)}",
                where=str(path),
                expected=f"all of {', '.join(files)}",
                remedy="add them, or take an earlier release",
            )
    return read_problems(paths, partial(_in_window, since, until))


def _in_window(since: date, until: date, row: Row, _place: str) -> Problem | None:
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
    """Return the method that is called; empty where a program is run."""
    raw = row.get("metadata")
    try:
        metadata = json.loads(raw) if isinstance(raw, str) and raw.strip() else {}
        name = metadata.get("func_name") or ""
    except (ValueError, RecursionError, AttributeError) as error:
        raise DataError("unreadable metadata", expected="a JSON object") from error
    return str(name)


def _prompt(row: Row) -> str:
    """State the problem, then how to answer: fill in the given start, or read standard input."""
    starter = row.get("starter_code")
    if isinstance(starter, str) and starter.strip():
        how = "Complete this code and give all of it in one ```python block."
        how += f"\n\n```python\n{starter.rstrip()}\n```"
    else:
        how = (
            "Write a Python program that reads standard input and writes the answer to standard "
            "output. Give it in one ```python block."
        )
    return f"{field(row, 'question_content').rstrip()}\n\n{how}"


def _tests(text: str) -> list[dict[str, Any]]:
    """Read a list of tests: JSON, or JSON in a packed pickle."""
    try:
        found = json.loads(text if text.lstrip().startswith("[") else _unpacked(text))
    except (ValueError, binascii.Error, zlib.error, RecursionError) as error:
        raise DataError(f"unreadable tests: {str(error)[:100]}") from error
    if not isinstance(found, list) or not all(
        isinstance(test, dict) and {"input", "output"} <= test.keys() for test in found
    ):
        raise DataError("tests of another form", expected="a list of {input, output}")
    return found


def _unpacked(text: str) -> str:
    unpack = zlib.decompressobj()
    raw = unpack.decompress(base64.b64decode(text, validate=True), _MAX_BYTES)
    if unpack.unconsumed_tail:
        raise ValueError(f"more than {_MAX_BYTES >> 20} MB when unpacked")
    return _pickled_string(raw)


def _pickled_string(raw: bytes) -> str:
    """Return the string that a pickle of nothing but a string holds, without running it."""
    strings = []
    for opcode, argument, _ in pickletools.genops(raw):
        if opcode.name in _STRING_OPS:
            strings.append(str(argument))
        elif opcode.name not in _OTHER_OPS:
            raise ValueError(f"a pickle of more than a string ({opcode.name})")
    if len(strings) != 1:
        raise ValueError(f"a pickle of {len(strings)} strings")
    return strings[0]
