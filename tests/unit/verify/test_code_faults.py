"""A task that cannot be judged gives no reward; a program cannot bring that about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier() as shared:
        yield shared


def task(tests: object) -> Task:
    return Task(kind=Kind.CODE, answer=json.dumps(tests))


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def check(*lines: str) -> dict[str, Any]:
    body = "".join(f"    {line}\n" for line in lines)
    return {"test_code": f"def check(candidate):\n{body}", "entry_point": "f"}


def asserts(*texts: str, **more: str) -> dict[str, Any]:
    return {"assert_case": list(texts), **more}


@pytest.mark.parametrize(
    "tests",
    [
        # Code that fails by itself.
        asserts("def g():\n    import scipy\n    return 1\nassert f(1) == g()"),
        asserts("import pytest\nwith pytest.raises(ValueError):\n    f(1)"),
        asserts("from solution import f\nassert f(1) == 1"),
        asserts("assert f(1) == 1", test_setup_code="x = 1 / 0"),
        asserts("x = {}['a']\nassert f(1) == 1"),
        check("x = 1 / 0", "assert candidate(1) == 1"),
        {"test_code": "def check(candidate, x):\n    assert candidate(1) == 1", "entry_point": "f"},
        # Code that asserts nothing.
        asserts("assert True"),
        asserts("assert 1 == 1"),
        asserts('assert (f(1) == 1, "message")'),
        asserts("def test_f():\n    assert f(1) == 1", "def test_g():\n    assert f(2) == 2"),
        asserts("class T:\n    def test_f(self):\n        assert f(1) == 1"),
        asserts("if False:\n    assert f(1) == 1"),
        check("print(candidate(1))"),
        check("return candidate(1) == 1"),
        check('assert (candidate(1) == 1, "message")'),
        # What no judge in another process can do.
        asserts("class B(A): pass\nassert B().x == 1"),
        asserts("async def h(x): return x\nassert f(h) == 1"),
        asserts("import sys\nassert f(sys._getframe()) == 1"),
        asserts("from unittest import mock\nwith mock.patch('builtins.print'):\n    assert f(1)"),
        asserts("import builtins\nbuiltins.print = None\nassert f(1) == 1"),
        asserts("import inspect\nassert inspect.signature(f).parameters"),
        asserts("open('t', 'w').write('a')\nassert f('t') == 'a'"),
        asserts("import os\nos.environ['A'] = 'b'\nassert f(1) == 'b'"),
        asserts(
            "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n"
            "        self.assertEqual(f(1), 1)\nunittest.TextTestRunner().run(T('test_f'))"
        ),
        # Texts that are no Python.
        asserts("assert f('\ud800') == 1"),
        asserts("assert f(1) == 1\0"),
        asserts("assert f(1) == 1", import_prefix="\0"),
    ],
)  # fmt: skip
def test_a_fault_of_the_tests_gives_no_reward(verifier: Verifier, tests: object) -> None:
    program = "class A:\n    x = 1\ndef f(x):\n    return x"
    verdict = verifier.verify(task(tests), fenced(program))

    assert (verdict.reward, verdict.status) == (None, Status.NO_TESTS), verdict.reason


@pytest.mark.parametrize(
    "program",
    [
        "def f(x): raise ImportError('x')",
        "import no_such_module\ndef f(x): return 2",
        "def g(x): return 2",
        "def f(x): raise NameError('f')",
        "async def f(x): return 2",
        "async def f(x): yield 2",
        "def f(x): return f",
        "def f(x): return [f, lambda: 0]",
        "import sys\ndef f(x): return sys",
        "import numpy\ndef f(x): return numpy.dtype('O')",
        "def f(x): raise KeyError(f, lambda: 0)",
        "def f(x): raise type('E', (Exception,), {'__module__': 3})",
        "def all(x): raise ValueError\ndef zip(*x): raise ValueError\ndef f(x): return 1",
        "class f:\n    def __init__(self, x): pass\n    __eq__ = None",
        "class Y:\n    def __iter__(self): return iter([1])\ndef f(x): return Y()",
        "def g(x): return x\nasync def f(x): return 2",
    ],
)
@pytest.mark.parametrize(
    "tests",
    [
        asserts("assert f(1) == 2"),
        asserts("assert f(lambda x: x) == 2"),
        asserts("assert all(a == b for a, b in zip(map(f, [1]), [2]))"),
        asserts("x = f(1)\nassert f(x) == 2 and x == 2"),
        check("assert candidate(1) == 2"),
    ],
)
def test_no_program_turns_a_failure_into_a_fault_of_the_task(
    verifier: Verifier, tests: object, program: str
) -> None:
    verdict = verifier.verify(task(tests), fenced(program))

    assert verdict.reward == 0.0, verdict.reason


@pytest.mark.parametrize(
    "answer",
    [
        "", "null", "3.5", '"text"', "[]", "[[1]]", "[null]", '"\\"x\\""',
        "\ud800", "\0", "[" * 9_000,
        '{"inputs": {"a": 1}, "outputs": "x"}', '{"fn_name": 5, "inputs": ["1"], "outputs": ["1"]}',
        '{"assert_case": [5]}', '{"assert_case": "assert f(1)"}',
        '{"inputs": ["1"], "outputs": [null]}',
        '{"fn_name": "f", "inputs": ["1"], "outputs": ["1"], "limits": []}',
        '{"fn_name": "f", "inputs": ["..."], "outputs": ["1"]}',
        '{"fn_name": "f", "outputs": ["1"], "inputs": ' + "[" * 5_000 + "]" * 5_000 + "}",
        '{"fn_name": "f", "outputs": ["1"], "inputs": [[' + "1" * 300_000 + "]]}",
        '{"inputs": [' + "1" * 5_000 + '], "outputs": ["1"]}',
        '{"inputs": ["1"], "outputs": ["1"], "tolerance": NaN}',
        '[{"input": "1", "output": "1", "testtype": "other"}]',
        '[{"input": "1", "output": "1", "testtype": {"a": 1}}]',
    ],
)  # fmt: skip
def test_no_answer_key_raises_in_the_caller(verifier: Verifier, answer: str) -> None:
    given = Task(kind=Kind.CODE, answer=answer)

    assert verifier.verify(given, fenced("def f(x): return x")).status is Status.NO_TESTS


@pytest.mark.parametrize("tests", [asserts("assert f(1) == 1"), check("assert candidate(1) == 1"),
                                   {"fn_name": "f", "inputs": ["1"], "outputs": ["1"]},
                                   {"inputs": ["1"], "outputs": ["1"]}])  # fmt: skip
@pytest.mark.parametrize(
    "code", ["x = '\ud800'", "print(1)\0", "\ud800", "def f(:", "x = " + "(" * 500]
)
def test_a_text_that_is_no_python_does_not_compile(
    verifier: Verifier, tests: object, code: str
) -> None:
    verdict = verifier.verify(task(tests), fenced(code))

    assert (verdict.reward, verdict.status) == (0.0, Status.COMPILE_ERROR)


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        ({"inputs": ["1"], "outputs": ["1"]}, "print('\ud800')"),
        ({"inputs": ["1"], "outputs": ["1"]}, "import sys\nsys.stdout.buffer.write(b'\\xc8')"),
        ({"fn_name": "f", "inputs": ["'a'"], "outputs": ["1"]}, "def f(x): return chr(55296)"),
        (asserts("assert f(1) == 1"), "def f(x): raise ValueError(chr(55296))"),
        ({"inputs": ["1"], "outputs": ["1"], "checker": "\ud800"}, "pass"),
    ],
)
def test_a_verdict_can_be_written_to_a_file(verifier: Verifier, tests: object, code: str) -> None:
    verdict = verifier.verify(task(tests), fenced(code))

    assert not verdict.reward
    assert (verdict.reason + verdict.extracted).encode()
