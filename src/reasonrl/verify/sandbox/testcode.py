"""Read the text of tests: which names they use, what they assert, and what they are about.

Only the text of the task decides here, so no program has a say, except that it defines the names.
`marking` rewrites the same texts. Called by `judge` and `prepared`.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .untestable import Untestable

_CLASS_NAME = re.compile(r"_*[A-Z][A-Za-z0-9]*")
_TRANSPARENT = ("abs", "copy", "deepcopy", "list", "max", "min", "next", "reversed", "sorted",
                "sum", "tuple")  # fmt: skip
"""Functions whose result may be an object that they were given."""


def parse(source: str) -> ast.Module:
    """Return the tree of a test. Raises Untestable."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Untestable(f"the test code is not Python: {error}") from error


def bound_names(trees: Iterable[ast.AST]) -> set[str]:
    """Return the names that the code binds in any scope: its own names."""
    names: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def used_names(tree: ast.AST) -> list[str]:
    """Return the names that the code reads, in the order of the text."""
    return [node.id for node in _names(tree)]


def called_names(tree: ast.AST) -> list[str]:
    """Return the names that the code calls, the outer calls of a line before the inner."""
    functions = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [function.id for function in functions if isinstance(function, ast.Name)]


def modules_in(trees: Iterable[ast.AST]) -> set[str]:
    """Return the names of which only attributes are used, as `np` in `np.array`."""
    bases: set[str] = set()
    others: set[str] = set()
    for tree in trees:
        attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        inner = {id(node.value) for node in attributes}
        for name in _names(tree):
            (bases if id(name) in inner else others).add(name.id)
    return bases - others


def has_assertion(trees: Iterable[ast.Module]) -> bool:
    """Return whether the text reaches an assertion that a right program may be expected to meet.

    `assert False`, an assertion in a function that nobody names, and an assertion in a branch that
    no program takes, or only after an exception, are none.
    """
    lines = [line for tree in trees for line in tree.body]
    waiting = [*lines]
    named: dict[str, list[ast.stmt]] = {"check": []}
    used = {"check"}
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            named.setdefault(node.name, []).extend(node.body)
        elif isinstance(node, ast.Assert):
            if not isinstance(node.test, (ast.Constant, ast.Tuple)):
                return True
        elif isinstance(node, ast.Try):
            waiting += [*node.body, *node.finalbody]
        elif not (isinstance(node, (ast.If, ast.While)) and _is_never(node.test)):
            waiting += [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt)]
            used |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        for name in used & named.keys():
            waiting += named.pop(name)
            named[name] = []
    return False


def _is_never(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and not test.value


def subject_name(
    trees: Sequence[ast.AST],
    setup: ast.AST,
    defined: Collection[str],
    library: Mapping[str, object],
    own: set[str],
) -> str | None:
    """Return the library's name that the tests mean the program's function by, if any.

    `defined` are the program's names, `own` those of the tests. A test of `add` or `gcd` is about
    the program's function, although the library has one, too. But a name of the library in a test
    of another function, as `abs` in `abs(area(2) - 3) < 1e-9`, means the library's.
    """
    foreign = [_foreign(tree, library, own) for tree in trees]
    if set.intersection(*foreign):
        return None
    is_clean = not set().union(*foreign)
    # The variables of the tests that hold an object of the program.
    objects = {
        variable
        for tree in (setup, *trees)
        for variable, makers in _variables(tree).items()
        if makers - library.keys()
    }
    candidates = [
        name
        for name in dict.fromkeys(called_names(trees[0]))
        if name in defined
        and name in library
        and name not in own
        # A builtin name counts only where the tests use no name of the program's own.
        and (is_clean or not hasattr(builtins, name))
        and all(_is_subject(name, tree, library, own, defined, objects) for tree in trees)
    ]
    return min(candidates, key=lambda name: hasattr(builtins, name), default=None)


def _foreign(tree: ast.AST, library: Mapping[str, object], own: set[str]) -> set[str]:
    """Return the names of the program that a test calls, passes on, or takes attributes of."""
    parts: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            parts += [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Attribute):
            parts.append(node.value)
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names - library.keys() - own


def _is_subject(
    name: str,
    tree: ast.AST,
    library: Mapping[str, object],
    own: set[str],
    defined: Collection[str],
    objects: set[str],
) -> bool:
    """Return whether a test calls a name, and does not call what else the test could be about.

    What stands in the arguments is closer to the subject: another function of the program, a method
    of its object, or, for a builtin name, another function of the library.
    """
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    inner = [
        node.func
        for call in calls
        for part in (*call.args, *call.keywords)
        for node in ast.walk(part)
        if isinstance(node, ast.Call)
    ]
    return bool(calls) and not any(
        _is_closer(function, name, library, own, defined, objects) for function in inner
    )


def _is_closer(
    function: ast.expr,
    name: str,
    library: Mapping[str, object],
    own: set[str],
    defined: Collection[str],
    objects: set[str],
) -> bool:
    if isinstance(function, ast.Attribute):
        root = _root(function)
        return bool(root) and (root in objects if root in own else root not in library)
    if not isinstance(function, ast.Name) or function.id == name or function.id in own:
        return False
    if function.id not in library:
        return not _CLASS_NAME.fullmatch(function.id)
    if isinstance(library[function.id], type):
        return False
    return function.id in defined or hasattr(builtins, name)


def class_names(trees: Sequence[ast.AST], own: set[str], candidate: str) -> set[str]:
    """Return the names that the tests use as classes of the program.

    `candidate` is what the tests call by that name.

    Such a name is written like a class, and the test uses an object of it as no plain data can be
    used: it reads an attribute of it, or combines or compares two of them, or asks for its class.
    """
    found: set[str] = set()
    for tree in trees:
        variables = _variables(tree)
        for node in ast.walk(tree):
            found.update(_used_as_classes(node, variables))
    if "candidate" in found:
        found.add(candidate)
    return {name for name in found - own if is_class_name(name)}


def is_class_name(name: str) -> bool:
    """Return whether a name is written like that of a class, and is no builtin."""
    return _CLASS_NAME.fullmatch(name) is not None and not hasattr(builtins, name)


def _used_as_classes(node: ast.AST, variables: Mapping[str, set[str]]) -> set[str]:
    match node:
        case ast.Attribute(value=value) | ast.Subscript(value=value, ctx=ast.Store()):
            own = {value.id} if isinstance(value, ast.Name) else set()
            return own | _makers(value, variables)
        case ast.BinOp(left=left, right=right) | ast.AugAssign(target=left, value=right):
            return _makers(left, variables) & _makers(right, variables)
        case ast.Compare(left=left, comparators=[right]):
            return _makers(left, variables) & _makers(right, variables)
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kind]):
            return set(used_names(kind))
        case ast.ExceptHandler(type=kind) if kind is not None:
            return set(used_names(kind))
        case ast.withitem(context_expr=value):
            return _makers(value, variables)
    return set()


def _makers(value: ast.AST, variables: Mapping[str, set[str]]) -> set[str]:
    """Return the names whose calls may have made the value of an expression."""
    match value:
        case ast.Call(func=ast.Name(id=name), args=args):
            if name in _TRANSPARENT:
                return set().union(*(_makers(arg, variables) for arg in args))
            return {name}
        case ast.Name(id=name):
            return variables.get(name, set())
        case ast.BinOp(left=left, right=right):
            return _makers(left, variables) | _makers(right, variables)
        case ast.UnaryOp(operand=operand):
            return _makers(operand, variables)
        case ast.Subscript(value=inner) | ast.NamedExpr(value=inner):
            return _makers(inner, variables)
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return set().union(*(_makers(item, variables) for item in items))
    return set()


def _variables(tree: ast.AST) -> dict[str, set[str]]:
    """Return, for each variable of a test, the names whose calls it was assigned."""
    variables: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                variables.setdefault(name, set()).update(_makers(value, variables))
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=items)):
                for target, item in zip(targets, items, strict=False):
                    if isinstance(target, ast.Name):
                        variables.setdefault(target.id, set()).update(_makers(item, variables))
            case ast.withitem(context_expr=value, optional_vars=ast.Name(id=name)):
                variables.setdefault(name, set()).update(_makers(value, variables))
    return variables


def _names(tree: ast.AST) -> Iterator[ast.Name]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node


def _root(node: ast.expr) -> str:
    """Return the first name of a chain such as `Shape.area` or `Stack().top`."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
