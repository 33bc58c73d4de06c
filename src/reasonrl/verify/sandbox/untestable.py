"""Refuse test code that needs what a judge in another process cannot give, or that hides failures.

Only the text of the tests decides, so no program can bring a refusal about. Called by `prepared`
and `testcode`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Set


class Untestable(Exception):
    """The test code is not Python, or needs what no judge in another process can do."""


def check_possible(trees: Iterable[ast.AST], own: Set[str]) -> None:
    """Raise Untestable for code that needs what stand-ins cannot give, or that hides failures."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        is_loop = isinstance(node, ast.comprehension) and node.is_async
        if is_loop or isinstance(node, (ast.AsyncFor, ast.AsyncWith)):
            raise Untestable("asynchronous iterators and contexts of a program cannot be tested")
        if isinstance(node, ast.Name) and node.id not in own - _MODULES:
            _check_name(node.id)
        elif isinstance(node, ast.Attribute) and node.attr not in _MODULES:
            _check_name(node.attr)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                _check_replaced(target)
        elif isinstance(node, ast.Call):
            _check_call(node, own)


_MODULES = frozenset({"inspect", "tempfile", "tracemalloc"})
_OUT_OF_REACH = {*_MODULES, "iscoroutinefunction"}
_RUNNERS = ("TextTestRunner", "TestLoader", "TestSuite", "testmod", "run_docstring_examples")
_RUNNING = ("eval", "exec", "builtins.eval", "builtins.exec", "compile", "__import__",
            "importlib.import_module", "pickle.loads", "pickle.load", "marshal.loads", "os.system",
            "os.popen", "subprocess.run", "subprocess.check_output", "subprocess.Popen",
            "types.FunctionType", "FunctionType")  # fmt: skip
_PATCHES = ("patch", "patch.object", "patch.dict", "mock.patch", "mock.patch.object",
            "mock.patch.dict", "unittest.mock.patch")  # fmt: skip
_REPLACED = ("environ", "argv", "path", "modules")


def _check_name(name: str) -> None:
    if name in _OUT_OF_REACH:
        raise Untestable(f"`{name}` shows nothing of a program in another process")
    if name in _RUNNERS:
        raise Untestable(f"`{name}` runs tests and hides their failures")


def _check_call(call: ast.Call, own: Set[str]) -> None:
    name = ast.unparse(call.func)
    if (name == "open" and name not in own) or name.endswith(".write_text"):
        raise Untestable("a file of the test is not there for the program")
    if name in _RUNNING and name not in own and not _are_constant(call):
        raise Untestable(f"`{name}` would run what a program returns in the place of the judge")
    if name in _PATCHES:
        text = next((arg.value for arg in call.args if isinstance(arg, ast.Constant)), "")
        if text != "builtins.input":
            raise Untestable(f"{text!r} of a program cannot be replaced")


def _are_constant(call: ast.Call) -> bool:
    return all(isinstance(arg, ast.Constant) for arg in call.args[:1])


def _check_replaced(target: ast.expr) -> None:
    """Raise Untestable where a test sets something that the program's process has a copy of."""
    is_item = isinstance(target, ast.Subscript)
    holder = target.value if isinstance(target, ast.Subscript) else target
    if not (isinstance(holder, ast.Attribute) and isinstance(holder.value, ast.Name)):
        return
    module, name = holder.value.id, holder.attr
    is_builtin = module == "builtins" and name != "input" and not is_item
    if is_builtin or (module in ("os", "sys") and name in _REPLACED):
        raise Untestable(f"{module}.{name} of a program cannot be replaced")
