"""A test may pass its own functions and objects to a program, which learns no more than by use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reasonrl.types import Kind, Task, Verdict
from reasonrl.verify import Verifier

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(workers=1) as shared:
        yield shared


def judged(verifier: Verifier, program: str, *texts: str, setup: str = "") -> Verdict:
    tests: dict[str, Any] = {"assert_case": list(texts), "test_setup_code": setup,
                             "limits": {"time_s": 3}}  # fmt: skip
    task = Task(kind=Kind.CODE, answer=json.dumps(tests))
    return verifier.verify(task, f"```python\n{program}\n```")


APPLY = "def f(g, *given): return g(*given)"


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (APPLY, "assert f(lambda y: y + 1, 2) == 3"),
        (APPLY, "class A:\n  def m(self, x): return x * 2\nassert f(A().m, 4) == 8"),
        (APPLY, "class A:\n  def __call__(self, x): return x\nassert f(A(), 4) == 4"),
        (APPLY, "out = []\nf(out.append, 3)\nassert out == [3]"),
        (APPLY, "def c(items): items.append(9)\nx = [1]\nf(c, x)\nassert x == [1, 9]"),
        (APPLY, "from unittest.mock import Mock\nm = Mock(return_value=4)\nassert f(m, 3) == 4\n"
                "m.assert_called_once_with(3)"),
        (APPLY, "class B(Exception): pass\ndef b(): raise B('no')\ntry:\n  f(b)\n  assert False\n"
                "except B as e:\n  assert str(e) == 'no'"),
        ("import inspect\ndef f(g): return len(inspect.signature(g).parameters)",
         "assert f(lambda a, b: 0) == 2"),
        ("def f(c): return c.name", "from enum import Enum\nclass C(Enum):\n  R = 1\n"
                                    "assert f(C.R) == 'R'"),
        ("def f(p): return p.x + p[1]", "from collections import namedtuple\n"
                                        "P = namedtuple('P', 'x y')\nassert f(P(1, 2)) == 3"),
        ("def f(it): return next(it)", "from itertools import count\nassert f(count(3)) == 3"),
        ("def f(x): return x", "class A: pass\na = A()\nassert f(a) is a"),
        ("def fix(g): return lambda n: g(fix(g))(n)",
         "assert fix(lambda s: lambda n: 1 if n == 0 else n * s(n - 1))(9) == 362880"),
    ],
)  # fmt: skip
def test_a_program_uses_what_the_test_gives_it(verifier: Verifier, program: str, text: str) -> None:
    assert judged(verifier, program, text).reward == 1.0


def test_links_of_a_list_that_the_test_defines_arrive_as_copies(verifier: Verifier) -> None:
    setup = "class Node:\n  def __init__(self, v, next=None): self.v, self.next = v, next"
    program = (
        "def f(h):\n  p = None\n  while h: h.next, p, h = p, h, h.next\n  return p\n"
        "def g(h): return h.v"
    )
    texts = ("r = f(Node(1, Node(2)))\nassert r.v == 2 and r.next.v == 1 and not r.next.next",
             "assert g(Node(3)) == 3")  # fmt: skip

    assert judged(verifier, program, *texts, setup=setup).reward == 1.0


RAW = """
import json, os, struct
def raw(of, do, *given):
    table = {"nodes": [["list", list(given)]], "root": [0]}
    body = json.dumps({"ask": "test", "of": of, "do": do, "with": table}).encode()
    os.write(4, struct.pack("!I", len(body)) + body)
    rest = struct.unpack("!I", os.read(4, 4))[0]
    text = b""
    while len(text) < rest: text += os.read(4, rest - len(text))
    return text.decode()
"""
SECRET = ("class Box:\n  def __init__(self, v): self.v = v\n  def get(self): return self.v\n"
          "assert f(Box(3), lambda x: x + 1) == 918273")  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "raw(n, 'get', '__globals__')", "raw(n, 'get', '__code__')", "raw(n, 'get', '__init__')",
        "raw(n, 'get', '__class__')", "raw(n, 'get', '__func__')", "raw(n, 'get', '__dict__')",
        "raw(n, 'dir')", "raw(n, 'format', '{0.__globals__}')", "raw(n, 'vars')", "raw(n, 'hash')",
        "raw(n, 'reference')", "raw(n, 'deepcopy')", "raw(n, 'asdict')", "raw(n, 'type')",
    ],
)  # fmt: skip
def test_no_way_leads_from_a_function_of_the_test_to_its_variables(
    verifier: Verifier, body: str
) -> None:
    program = (
        f"{RAW}\ndef f(b, g):\n  b.get\n  seen = [{body} for n in range(3)]\n"
        "  return 918272 + int(str(918272 + len([0])) in str(seen))"
    )
    verdict = judged(verifier, program, SECRET)

    assert verdict.reward == 0.0
    assert "918273" not in verdict.reason


@pytest.mark.parametrize(
    ("function", "body"),
    [
        ("lambda x, form: form.format(x)", "g(g, '{0.__globals__}')"),
        ("lambda x, name: getattr(x, name)", "g(g, '__globals__')"),
        ("lambda x, name: getattr(x, name)", "g(g(g, '__code__'), 'co_consts')"),
    ],
)
def test_no_function_of_the_test_looks_up_hidden_names_for_a_program(
    verifier: Verifier, function: str, body: str
) -> None:
    program = (
        "def f(g):\n  try: "
        f"seen = str({body})\n  except Exception: return 1\n"
        "  return 918272 + int(str(918272 + len([0])) in seen)"
    )

    text = f"secret = 918273\nassert f({function}) == secret"
    assert judged(verifier, program, text).reward == 0.0


@pytest.mark.parametrize(
    "program",
    [
        # It hides the failed assertion of the test's function.
        "def f(c):\n  try: c(4)\n  except BaseException: pass\n  return 1",
        "def f(c):\n  try: c(4)\n  except BaseException: pass\n  import os\n  os._exit(0)",
        "def f(c):\n  while True: c(3)",
        "def f(c):\n  def deeper(): return c(deeper)\n  return deeper()",
        "def f(c): return c",
        "def f(c): raise ImportError('x')",
    ],
)
def test_a_wrong_use_of_a_function_of_the_test_gets_no_reward(
    verifier: Verifier, program: str
) -> None:
    text = "def c(x):\n  assert x == 3\n  return 1\nassert f(c) == 1"

    assert judged(verifier, program, text).reward == 0.0


def test_calls_between_test_and_program_end_at_some_depth(verifier: Verifier) -> None:
    program = "def f(g):\n  def s(n): return g(s)(n)\n  return g(s)(1)"

    assert judged(verifier, program, "assert f(lambda s: lambda n: s(n)) == 5").reward == 0.0


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (
            "def f(p): p.ok = lambda: True",
            "class P:\n  def ok(self): return False\np = P()\n"
            "try:\n  f(p)\nexcept AttributeError:\n  pass\nassert p.ok()",
        ),
        (
            "class S(str):\n  __eq__ = lambda *a: True\ndef f(b): b.getvalue = lambda: S('hi')",
            "import io\nb = io.StringIO()\nf(b)\nassert b.getvalue() == 'hi'",
        ),
    ],
)
def test_no_program_replaces_a_method_of_the_test(
    verifier: Verifier, program: str, text: str
) -> None:
    assert judged(verifier, program, text).reward == 0.0
