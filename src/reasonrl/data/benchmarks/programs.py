"""HumanEval and MBPP."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from reasonrl.data.benchmarks.adapter import BenchmarkAdapter, Row, field, user_turn
from reasonrl.data.benchmarks.hub import HubFiles
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem

# The ids of the two halves; the other problems are meant for prompts and validation.
_MBPP_TEST, _MBPP_TRAINING = range(11, 511), range(601, 975)


def _humaneval(row: Row, index: str) -> Problem:
    """Return a problem that asks for the whole function.

    Imports and helpers of the opening are available to the program and to the test.
    """
    opening, entry_point = field(row, "prompt"), field(row, "entry_point")
    tests = {
        "test_code": field(row, "test"),
        "entry_point": entry_point,
        # The opening runs as it is: a function that has only a docstring is complete.
        "import_prefix": opening,
    }
    text = (
        f"Write the Python function `{entry_point}` so that it does what its docstring says. Give "
        f"the whole function in one ```python block.\n\n```python\n{opening.rstrip()}\n```"
    )
    return _problem("humaneval", index, text, tests)


def _mbpp(name: str, ids: range, row: Row, index: str) -> Problem | None:
    """Return a problem that shows the assertions, as the benchmark does; None outside `ids`.

    The assertions determine the function's name and arguments.
    """
    number = field(row, "task_id")
    if not number.isdecimal():
        raise DataError(f"task_id {number[:30]!r}", expected="a whole number")
    if int(number) not in ids:
        return None
    cases = row.get("test_list")
    if not isinstance(cases, list) or not all(isinstance(case, str) for case in cases):
        raise DataError("no test_list", expected="a list of assertions")
    setup = row.get("test_setup_code")
    tests = {"assert_case": cases, "test_setup_code": setup if isinstance(setup, str) else ""}
    assertions = "\n".join(cases)
    text = (
        f"{field(row, 'text', 'prompt')}\n\nGive the function in one ```python block. "
        f"It must pass these assertions:\n\n```python\n{assertions}\n```"
    )
    return _problem(name, index, text, tests)


def _problem(name: str, index: str, text: str, tests: dict[str, Any]) -> Problem:
    return Problem(
        id=f"{name}-{index}",
        prompt=user_turn(text),
        answer=json.dumps(tests),
        kind=Kind.CODE,
        source=name,
    )


PROGRAMS = (
    BenchmarkAdapter(
        name="humaneval",
        kind=Kind.CODE,
        hub=HubFiles("openai/openai_humaneval", ("openai_humaneval/test-00000-of-00001.parquet",)),
        local=("HumanEval.jsonl*", "*/HumanEval.jsonl*", "humaneval.*"),
        read=_humaneval,
        size=164,
    ),
    BenchmarkAdapter(
        name="mbpp",
        kind=Kind.CODE,
        hub=HubFiles("google-research-datasets/mbpp", ("full/test-00000-of-00001.parquet",)),
        local=("mbpp.jsonl", "*/mbpp.jsonl", "mbpp/full/test-*.parquet"),
        read=partial(_mbpp, "mbpp", _MBPP_TEST),
        size=len(_MBPP_TEST),
    ),
)

MBPP_TRAINING = BenchmarkAdapter(
    name="mbpp",
    kind=Kind.CODE,
    hub=HubFiles("google-research-datasets/mbpp", ("full/train-00000-of-00001.parquet",)),
    local=("mbpp.jsonl", "*/mbpp.jsonl", "mbpp/full/train-*.parquet"),
    read=partial(_mbpp, "mbpp-train", _MBPP_TRAINING),
    size=len(_MBPP_TRAINING),
)
