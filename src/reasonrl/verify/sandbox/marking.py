"""Rewrite the text of a test so that the judge sees what it does. Called by `prepared`.

The judge learns which assertions were reached; `except Bad` finds the exception class of the
program; a variable of the program is read when the test reads it; and a helper of the test cannot
hide from an assertion that the program has changed its arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

PASSED, FAILED, SEEN, READ, CAUGHT, HELPED = (
    f"_judge_{name}" for name in "passed failed seen read caught helped".split()
)
TYPE, CALLABLE, GET, SAME, INSTANCE, SEED, HAS, LIBRARY = (
    f"_judge_{name}" for name in "type callable get same instance seed has library".split()
)
_LIBRARY = ("copy", "deepcopy", "asdict", "astuple", "fields", "is_dataclass", "replace")
_CATCHING = ("Exception", "BaseException", "AssertionError")
_DUNDERS = ("__doc__", "__dict__", "__class__", "__module__", "__annotations__")


def assertion_lines(tree: ast.AST) -> set[int]:
    """Return the numbers of the lines that belong to an assertion."""
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return {line for node in asserts for line in range(node.lineno, (node.end_lineno or 0) + 1)}


def is_idle(node: ast.Assert) -> bool:
    """Return whether an assertion holds for every program: `assert (x, "message")`, `assert 1`."""
    match node.test:
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return bool(items)
        case ast.Constant(value=value):
            return bool(value)
    return False


def mark(
    tree: ast.Module, *, variables: Collection[str], own: Collection[str], counts_all: bool
) -> ast.Module:
    """Return the tree with the judge's marks.

    With `counts_all` every assertion is a test of its own, and the code goes on behind a failure.
    `own` are the names of the test, which no variable or builtin hides.
    """
    marked = _Marks(set(variables) - set(own), set(own), counts_all=counts_all).visit(tree)
    result: ast.Module = ast.fix_missing_locations(marked)
    return result


class _Marks(ast.NodeTransformer):
    def __init__(self, variables: set[str], own: set[str], *, counts_all: bool) -> None:
        self._variables = variables
        self._own = own
        self._counts_all = counts_all
        # The number of `try` blocks around that would catch the failure of an assertion.
        self._n_catching = 0
        self._is_in_assertion = False

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        idle = is_idle(node)
        self._is_in_assertion = True
        self.generic_visit(node)
        self._is_in_assertion = False
        if idle:
            return [node]
        if not self._counts_all:
            return [_call(SEEN, node), node]
        if self._n_catching:
            return [_call(SEEN, node), node, _call(PASSED, node)]
        failed = _call(FAILED, node, ast.Name("_judge_error", ast.Load()))
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), "_judge_error", [failed])
        new = ast.Try([node], [handler], [_call(PASSED, node)], [])
        return [_call(SEEN, node), ast.copy_location(new, node)]

    def visit_Try(self, node: ast.Try) -> list[ast.stmt]:
        # An assertion behind a call that must raise is not reached where the program is right.
        raises = _raises(node) or any(isinstance(line, ast.Assert) for line in node.body)
        is_catching = any(_catches_assertions(handler) for handler in node.handlers)
        self._n_catching += is_catching
        node.body = self._visit_all(node.body)
        self._n_catching -= is_catching
        node.handlers = [self.generic_visit(handler) for handler in map(_with_class, node.handlers)]  # type: ignore[misc]
        node.orelse = self._visit_all(node.orelse)
        node.finalbody = self._visit_all(node.finalbody)
        return [_call(SEEN, node), node] if raises else [node]

    def _visit_all(self, lines: list[ast.stmt]) -> list[ast.stmt]:
        new: list[ast.stmt] = []
        for line in lines:
            visited = self.visit(line)
            new += visited if isinstance(visited, list) else [visited]
        return new

    def visit_If(self, node: ast.If) -> list[ast.stmt]:
        raises = _raises(node)
        self.generic_visit(node)
        return [_call(SEEN, node), node] if raises else [node]

    def visit_Expr(self, node: ast.Expr) -> list[ast.stmt]:
        is_assertion = isinstance(node.value, ast.Call) and _name_of(node.value.func).startswith(
            "assert"
        )
        self.generic_visit(node)
        if not is_assertion:
            return [node]
        return [_call(SEEN, node), node, *([_call(PASSED, node)] if self._counts_all else [])]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not isinstance(node.ctx, ast.Load) or node.id not in self._variables:
            return node
        return ast.copy_location(_function(READ, ast.Constant(node.id)), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if node.attr not in _DUNDERS or not isinstance(node.ctx, ast.Load):
            return node
        if node.attr == "__class__":
            return ast.copy_location(_function(TYPE, node.value), node)
        return ast.copy_location(_function(GET, node.value, ast.Constant(node.attr)), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) != 1 or not isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            return node
        same: ast.expr = _function(SAME, node.left, node.comparators[0])
        if isinstance(node.ops[0], ast.IsNot):
            same = ast.UnaryOp(ast.Not(), same)
        return ast.copy_location(same, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = _name_of(node.func)
        is_plain = isinstance(node.func, ast.Name) and name not in self._own
        self.generic_visit(node)
        if is_plain and name in ("type", "callable") and len(node.args) == 1 and not node.keywords:
            return ast.copy_location(
                _function(TYPE if name == "type" else CALLABLE, node.args[0]), node
            )
        if ast.unparse(node.func) == "random.seed":
            node.func = ast.copy_location(ast.Name(SEED, ast.Load()), node.func)
            return node
        if is_plain and name == "vars" and len(node.args) == 1:
            return ast.copy_location(_function(GET, node.args[0], ast.Constant("__dict__")), node)
        if is_plain and name == "isinstance" and len(node.args) == 2:
            return ast.copy_location(_function(INSTANCE, *node.args), node)
        if is_plain and name == "hasattr" and len(node.args) == 2:
            return ast.copy_location(_function(HAS, *node.args), node)
        if name in _LIBRARY:
            called = ast.Call(ast.Name(LIBRARY, ast.Load()), [node.func, *node.args], node.keywords)
            return ast.copy_location(called, node)
        if not self._is_in_assertion or name in ("super", "locals", "globals"):
            return node
        helped = ast.Call(ast.Name(HELPED, ast.Load()), [node.func, *node.args], node.keywords)
        return ast.copy_location(helped, node)


def _with_class(handler: ast.ExceptHandler) -> ast.ExceptHandler:
    if handler.type is not None:
        handler.type = ast.copy_location(_function(CAUGHT, handler.type), handler.type)
    return handler


def _catches_assertions(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = [node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)]
    return any(name in _CATCHING for name in names)


def _raises(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Raise) for inner in ast.walk(node))


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _function(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _call(name: str, at: ast.stmt, *arguments: ast.expr) -> ast.stmt:
    return ast.copy_location(ast.Expr(_function(name, *arguments)), at)
