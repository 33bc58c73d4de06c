"""Values of tests: JSON, texts of JSON, integers of any length."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reasonrl.errors import DataError
from reasonrl.verify.code.json_values import arguments_of, load, read_integer, value_of
from reasonrl.verify.code.tests import read_tests
from reasonrl.verify.sandbox import values


@pytest.mark.parametrize("n_digits", [1, 4_000, 4_001, 9_999, 60_000])
def test_an_integer_may_have_any_number_of_digits(n_digits: int) -> None:
    assert read_integer("1" + "0" * (n_digits - 1)) == 10 ** (n_digits - 1)
    assert read_integer("-" + "9" * n_digits) == 1 - 10**n_digits


def test_an_integer_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="digits"):
        load("1" * 300_000)


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("1\n[2, 3]", [1, [2, 3]]),
        ("[1,\n2]", [[1, 2]]),
        ("(1, 2)", [(1, 2)]),
        ([[1], 2], [[1], 2]),
        ([{"1": 5, "-2": 6}], [{1: 5, -2: 6}]),
        ([{"1": 5, "a": 6}], [{"1": 5, "a": 6}]),
        ([{"01": 5}], [{"01": 5}]),
        ('{"1": 5}', [{"1": 5}]),
        (3, [3]),
    ],
)
def test_the_arguments_of_a_call(written: object, arguments: list[Any]) -> None:
    assert arguments_of(written) == arguments


def test_a_value_is_json_or_a_literal_or_a_text() -> None:
    assert [value_of(text) for text in ("true", "{1, 2}", "abc", "[1")] == [
        True,
        {1, 2},
        "abc",
        "[1",
    ]


def test_a_list_of_tests_is_read_as_one_of_the_shapes() -> None:
    script = read_tests('[{"input": "1", "output": "2", "testtype": "stdin"}]')
    call = read_tests(
        '[{"input": "1", "output": "2", "testtype": "functional", "metadata": {"func_name": "f"}}]'
    )

    assert (script.kind, script.tests[0]) == ("scripts", {"input": "1", "output": "2"})
    assert (call.kind, call.entry_point) == ("calls", "f")
    assert values.decode(call.tests[0]["expected"], {}, int) == 2


def test_a_text_without_assertion_prepares_the_others() -> None:
    tests = read_tests(json.dumps({"assert_case": ["import math", "s = S()", "assert s.f() == 1"]}))

    assert tests.tests == ("assert s.f() == 1",)
    assert tests.setup.split("\n")[1:] == ["import math", "s = S()"]


@pytest.mark.parametrize("more", [{"checker": "x"}, {"tolerance": 1}, {"tolerance": "1e-3"}])
def test_an_unknown_judge_or_an_odd_tolerance_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(DataError):
        read_tests(json.dumps({"inputs": ["1"], "outputs": ["1"], **more}))
