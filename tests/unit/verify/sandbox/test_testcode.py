"""What the text of a test says, without any program."""

from __future__ import annotations

import ast
import builtins

import pytest

from reasonrl.verify.sandbox import testcode
from reasonrl.verify.sandbox.marking import is_idle
from reasonrl.verify.sandbox.program import prelude
from reasonrl.verify.sandbox.untestable import Untestable, check_possible

LIBRARY = {**vars(builtins), **prelude()}


def subject(text: str, *defined: str, setup: str = "") -> str | None:
    trees = [testcode.parse(line) for line in text.split(" ; ")]
    own = testcode.bound_names([testcode.parse(setup), *trees])
    return testcode.subject_name(trees, testcode.parse(setup), defined, LIBRARY, own)


@pytest.mark.parametrize(
    ("text", "defined", "expected"),
    [
        ("assert gcd(4, 6) == 2", ["gcd"], "gcd"),
        ("assert sum([1]) == 1", ["sum"], "sum"),
        ("assert add(1, 2) == 3 ; assert add(0, 0) == 0", ["add", "helper"], "add"),
        ("assert list(merge([1], [2])) == [1, 2]", ["merge", "list"], "merge"),
        ("assert floor(half(5)) == 2", ["half", "floor"], None),
        ("assert abs(Shape.area(5) - 78) < 1", ["Shape", "abs"], None),
        ("assert isclose(area(2), 12) ; assert isclose(rim(2), 12)", ["isclose"], None),
        ("assert all(map(f, [1]))", ["f", "all"], None),
        ("assert abs(sum([1, 2]) - 3) < 1", ["abs"], None),
        ("assert gcd(4, 6) == 2", ["other"], None),
        ("add('a', 1)\nassert DB == {'a': 1}", ["add", "DB"], "add"),
    ],
)
def test_a_name_of_the_library_is_the_programs_only_if_the_tests_are_about_it(
    text: str, defined: list[str], expected: str | None
) -> None:
    assert subject(text, *defined) == expected


def test_a_method_of_an_object_of_the_setup_is_closer_to_the_subject() -> None:
    text = "assert all(x == y for x, y in zip(s.f(), [1]))"

    assert subject(text, "Solution", "all", "zip", setup="s = Solution()") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("assert V(1).x == 1", {"V"}),
        ("v = V(1)\nassert v.x == 1", {"V"}),
        ("assert (V(1) + V(2)).x == 3", {"V"}),
        ("assert sorted([V(2), V(1)])[0].x == 1", {"V"}),
        ("assert V(1) < V(2)", {"V"}),
        ("assert isinstance(f(), A)", {"A"}),
        ("with A() as a:\n    pass", {"A"}),
        ("assert f(1).x == 1", set()),
        ("assert Average([1, 2]) == 1.5", set()),
        ("assert abs(Average([1, 2]) - 1.5) < 0.1", set()),
        ("assert Find_Max([1]).x == 1", set()),
        ("assert f(V(1)) == 1", set()),
    ],
)
def test_a_class_is_under_test_only_where_the_text_uses_it_as_one(
    text: str, expected: set[str]
) -> None:
    assert testcode.class_names([testcode.parse(text)], set(), "") == expected


@pytest.mark.parametrize(
    ("text", "idle"),
    [
        ("assert (f(1), 'message')", True),
        ("assert 1", True),
        ("assert 'text'", True),
        ("assert False", False),
        ("assert ()", False),
        ("assert f(1)", False),
    ],
)
def test_an_assertion_that_always_holds_is_idle(text: str, idle: bool) -> None:
    (line,) = ast.parse(text).body

    assert isinstance(line, ast.Assert)
    assert is_idle(line) is idle


@pytest.mark.parametrize(
    "text",
    ["import inspect\ninspect.signature(f)", "open('x')", "os.environ['a'] = 'b'",
     "builtins.print = None", "mock.patch('time.time')", "[x async for x in f()]",
     "unittest.TextTestRunner()"],
)  # fmt: skip
def test_what_no_stand_in_can_give_is_untestable(text: str) -> None:
    with pytest.raises(Untestable):
        check_possible([ast.parse(text)], set())


@pytest.mark.parametrize(
    "text",
    ["door.open()", "api.patch('/x')", "car.inspect()", "builtins.input = None", "a.path = 1",
     "mock.patch('builtins.input')"],
)  # fmt: skip
def test_methods_of_the_same_names_are_testable(text: str) -> None:
    check_possible([ast.parse(text)], set())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("assert f(1) == 2", True),
        ("for x in f(3):\n    assert x > 0", True),
        ("def check(c):\n    if c(1):\n        assert c(1) == 2", True),
        ("def same(x):\n    assert x == 1\nsame(f(1))", True),
        ("def test():\n    assert f(1) == 1", False),
        ("if False:\n    assert f(1) == 1", False),
        ("if f(1) != 1:\n    assert False", False),
        ("try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    assert f(2)", False),
        ("assert (f(1) == 1, 'message')", False),
        ("print(f(1))", False),
    ],
)
def test_a_text_says_whether_it_reaches_an_assertion(text: str, expected: bool) -> None:
    assert testcode.has_assertion([testcode.parse(text)]) is expected


@pytest.mark.parametrize(
    "text", ["assert eval(f(1)) == 2", "exec(f(1))", "import pickle\nassert pickle.loads(f(1))"]
)
def test_a_test_that_would_run_a_result_is_refused(text: str) -> None:
    with pytest.raises(Untestable, match="would run"):
        check_possible([testcode.parse(text)], set())
