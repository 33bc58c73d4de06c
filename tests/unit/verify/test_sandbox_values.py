"""Comparison of outputs, and values and messages between processes, without any process."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import math
import os
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.verify.sandbox import frames, special, values
from reasonrl.verify.sandbox.compare import same_output, same_result, same_value
from reasonrl.verify.sandbox.kinds import name_of

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.fractions()
    | st.dates(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.frozensets(st.integers() | st.text())
    ),
    max_leaves=20,
)


def nothing(value: object) -> int:
    raise AssertionError(value)


def carried(value: object, **classes: type) -> Any:
    import json

    table = json.loads(json.dumps(values.encode(value, classes, nothing)))
    return values.decode(table, classes, nothing)


@given(PLAIN)
def test_plain_data_arrives_as_it_was(value: object) -> None:
    arrived = carried(value)

    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        collections.OrderedDict([("b", 1), ("a", 2)]),
        collections.defaultdict(int, {"a": [1]}),
        collections.Counter("aab"),
        10**400,
        -(2**53),
        range(3, 9, 2),
        {1, 2},
        collections.deque([1, (2,)]),
        decimal.Decimal("1.50"),
        fractions.Fraction(1, 3),
        datetime.datetime(2026, 1, 2, 3, 4),
        1 + 2j,
        int,
        float("inf"),
        {(1, 2): [3]},
        "\ud800",
    ],
)
def test_other_values_of_the_library_arrive_too(value: object) -> None:
    assert carried(value) == value


def test_sharing_cycles_and_depth_survive() -> None:
    inner: list[Any] = []
    inner.append(inner)
    shared = carried([inner, inner])
    assert shared[0] is shared[1]
    assert shared[0][0] is shared[0]

    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    arrived, depth = carried(deep), 0
    while arrived:
        (arrived,), depth = arrived, depth + 1
    assert depth == 100_000


def test_a_subclass_arrives_as_its_plain_base() -> None:
    class Same(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Pair(tuple[int, ...]):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = tuple.__hash__

    arrived = carried([Same(3), Pair((1, 2)), collections.Counter("aab")])
    assert [type(value) for value in arrived] == [int, tuple, collections.Counter]
    assert arrived == [3, (1, 2), {"a": 2, "b": 1}]


def test_instances_of_shared_classes_travel_by_attributes() -> None:
    class Node:
        def __init__(self, value: int, after: Node | None) -> None:
            self.value, self.after = value, after

    arrived = carried(Node(1, Node(2, None)), Node=Node)
    assert (arrived.value, arrived.after.value, arrived.after.after) == (1, 2, None)


@pytest.mark.parametrize(
    "table",
    [
        None,
        7,
        {},
        {"nodes": 3, "root": 1},
        {"nodes": [], "root": [0]},
        {"nodes": [], "root": [-1]},
        {"nodes": [], "root": {"a": 1}},
        {"nodes": [["list", [[5]]]], "root": [0]},
        {"nodes": [["list", 7]], "root": [0]},
        {"nodes": [["tuple", [[0]]]], "root": [0]},
        {"nodes": [["spelled", ["int", "zz"]]], "root": [0]},
        {"nodes": [["spelled", ["eval", "1"]]], "root": [0]},
        {"nodes": [["type", "eval"]], "root": [0]},
        {"nodes": [["@Missing", []]], "root": [0]},
        {"nodes": [["set", [[1]]], ["list", []]], "root": [0]},
        {"nodes": [["range", ["1", "2", "0"]]], "root": [0]},
        {"nodes": [[]], "root": [0]},
        {"nodes": ["x"], "root": [0]},
    ],
)
def test_a_forged_table_is_malformed(table: object) -> None:
    with pytest.raises(frames.Malformed):
        values.decode(table, {}, lambda number: number)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5_000, b'{"a": 1e999999}x']
)
def test_a_broken_frame_is_malformed(body: bytes) -> None:
    read, write = os.pipe()
    os.write(write, len(body).to_bytes(4, "big") + body[:60_000])
    os.close(write)
    with pytest.raises((frames.Malformed, frames.Closed)):
        frames.receive(read)
    os.close(read)


def test_a_frame_that_promises_too_much_is_malformed() -> None:
    read, write = os.pipe()
    os.write(write, b"\xff\xff\xff\xff")
    with pytest.raises(frames.Malformed):
        frames.receive(read)
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("expected", "written", "same"),
    [
        ("7\n", "7", True),
        ("7", " 7 \n\n", True),
        ("1\n2", "1\r\n2\r\n", True),
        ("1\n2", "1\n\n2", True),
        ("1 2", "1  2", True),
        ("1 2", "1\t2", True),
        ("1 2", "1\n2", False),
        ("7", "+7", True),
        ("7", "7.0", True),
        ("7", "7.0000000001", False),
        ("7.0", "7", True),
        ("0.1", "0.1000000000001", True),
        ("0.1", "0.10001", False),
        ("0.0", "0", True),
        ("0.0", "1e-13", True),
        ("0.0", "0.001", False),
        ("0", "-0", True),
        ("100000000000000000000000", "100000000000000000000001", False),
        ("9" * 5_000, "9" * 5_000 + ".0", True),
        ("yes", "YES", False),
        ("", "", True),
        ("", "x", False),
        ("x", "", False),
        ("nan", "nan", True),
        ("1e3", "1000", True),
        ("1.0", "inf", False),
        ("\u2028", "\u2028", True),
        ("a\u2028b", "a b", False),
        ("7", "007", False),
        ("0011", "11", False),
        ("11", "0011", False),
        ("0.5", "00.5", False),
        ("0.5", ".5", True),
        ("1", "\uff11", False),
        ("2e400", "1e400", False),
        ("2e400", "2.0e400", True),
        ("-1e400", "-1e999", False),
        ("1e400", "inf", False),
        ("0.0", "1e-999999999", True),
        ("0.0", "1e999999999", False),
        ("1.0", "0.9999999999999", True),
        ("1.0", "-1.0", False),
        ("1" * 9_000 + ".5", "1" * 9_000 + ".25", True),
        ("1" * 9_000, "1" * 8_999 + "2", False),
    ],
)
def test_outputs_are_compared_by_lines_tokens_and_numbers(
    expected: str, written: str, same: bool
) -> None:
    assert same_output(expected, written) is same


@pytest.mark.parametrize(
    ("expected", "given", "same"),
    [
        ([1, 2], (1, 2), True),
        ([[1], [2]], [(1,), (2,)], True),
        ([1, 2], {1, 2}, False),
        ([1], [1, 1], False),
        (1.5, 1.5 + 1e-12, True),
        (1.5, 1.5001, False),
        (2, 2.0, True),
        (2, 2.0000000001, False),
        (2.0, 2, True),
        (True, 1, False),
        (1, True, False),
        (1.0, True, False),
        (True, "true", False),
        (None, None, True),
        (None, 0, False),
        (0, False, False),
        ("1", 1, False),
        ({"1": 2}, {1: 2}, True),
        ({"1": 2}, {1: 2, "1": 2}, False),
        ({"a": [1]}, {"a": (1,)}, True),
        ({"true": 1}, {True: 1}, True),
        (math.inf, 10**400, False),
        (0.0, 1e-15, True),
    ],
)
def test_values_are_compared_as_json(expected: object, given: object, same: bool) -> None:
    assert same_value(expected, given) is same


@pytest.mark.parametrize(
    ("expected", "written", "tolerance", "same"),
    [
        ("0.3333", "0.3330", 1e-3, True),
        ("0.3333", "0.3350", 1e-3, False),
        ("1000000.0", "1000001", 1e-6, True),
        ("1000000.0", "1000002", 1e-6, False),
        ("0.0", "0.0005", 1e-3, True),
        ("3", "2.9999", 1e-3, True),
        ("3", "4", 0.5, False),
        ("1e400", "1.0000001e400", 1e-6, True),
        ("1e400", "0", 1e-6, False),
    ],
)
def test_a_stated_tolerance_is_absolute_or_relative_and_not_for_integers(
    expected: str, written: str, tolerance: float, same: bool
) -> None:
    assert same_output(expected, written, tolerance) is same


@pytest.mark.parametrize(
    ("expected", "given", "is_apps", "same"),
    [
        ([3], 3, True, True),
        ([3], [3], True, True),
        ([3], 3, False, False),
        ([[3]], 3, True, False),
        ([3, 3], 3, True, False),
        ([True], 1, True, False),
    ],
)
def test_only_the_results_of_apps_may_be_wrapped_in_a_list(
    expected: object, given: object, is_apps: bool, same: bool
) -> None:
    assert same_result(expected, given, None, is_apps=is_apps) is same


@pytest.mark.parametrize(
    ("expected", "written"),
    [
        ("1" * 300_000, "1" * 300_000 + "x"),
        ("1" * 300_000 + ".0", "1" * 299_999 + "2.0"),
        ("0." + "0" * 300_000 + "1", "0." + "0" * 300_000 + "2"),
        ("1e" + "1" * 300_000, "1"),
        ("-" * 300_000, "1"),
        ("1.0 " * 30_000, "1 " * 29_999 + "2"),
    ],
)
def test_comparing_long_outputs_takes_linear_time(expected: str, written: str) -> None:
    start = time.process_time()
    same_output(expected, written)

    # The former pattern of numbers needed minutes for the first pair.
    assert time.process_time() - start < 3


def test_comparing_cyclic_values_ends() -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    assert not same_value([[[]]], cyclic)
    assert not same_value(cyclic, cyclic)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1]}.items(),
        {"a": 1}.keys(),
        ...,
        NotImplemented,
        memoryview(b"ab"),
        re.compile("a+", re.IGNORECASE),
    ],
)
def test_views_constants_and_patterns_arrive_as_they_were(value: object) -> None:
    written = special.write_data(value)

    assert written is not None
    arrived = special.make_data(*written)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize(
    "parts", [("view", ["keys"], [3]), ("constant", ["exit"], []), ("pattern", ["("], [])]
)
def test_a_forged_view_is_malformed(parts: tuple[str, list[Any], list[Any]]) -> None:
    with pytest.raises(frames.Malformed):
        special.make_data(*parts)


@pytest.mark.parametrize("kind", [type(None), type({}.keys()), collections.deque, re.Pattern])
def test_classes_are_known_by_name(kind: type) -> None:
    assert carried(kind) is kind


def test_a_class_that_takes_the_name_of_another_is_none_of_the_library() -> None:
    assert name_of(type("int", (), {"__module__": "builtins"})) is None
