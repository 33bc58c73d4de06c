"""Stand-ins for objects of a test, in the process of the program that uses them.

Everything here shares its process with untrusted code, so nobody trusts what it says. The judge
decides what the program may do with an object (`lent`). Called by `holding`.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from .operations import METHODS
from .values import refill

Ask = Callable[..., Any]
"""Ask the judge: number of the object, operation, arguments."""


def borrow(ask: Ask, parts: list[Any], plain: list[Any]) -> Any:
    """Return the stand-in of an object of the test: a function, an iterator, a class, an object."""
    number, kind, name, abilities, parameters = parts
    if kind == "error":
        base = getattr(builtins, abilities[0], Exception)
        return type(name, (base,), {"_lent_class": number})
    space = {special: _method(ask, number, special) for special in abilities}
    if kind == "iterator":
        space["__iter__"] = lambda self: self
    if kind in ("object", "class"):
        space["__getattr__"] = lambda _, attribute: _get(ask, number, attribute)
    if kind == "object":
        space["__setattr__"] = lambda _, attribute, value: ask(number, "set", attribute, value)
        space["__delattr__"] = lambda _, attribute: ask(number, "del", attribute)
    if kind == "class":
        space["__instancecheck__"] = lambda _, value: bool(ask(number, "isinstance", value))
    bases = tuple(type(value) for value in plain)
    made = type("function" if kind == "function" else name, bases, space)
    value = made(*plain) if plain else made()
    if kind in ("function", "class"):
        value.__dict__.update(__name__=name, __qualname__=name)
    if kind == "function":
        _add_signature(value, parameters)
    return value


def _method(ask: Ask, number: int, special: str) -> Callable[..., Any]:
    operation = METHODS[special]

    def method(_: object, *given: Any, **named: Any) -> Any:
        if operation == "call":
            return ask(number, "call", list(given), named)
        if operation == "leave":
            kind, error = given[:2]
            return ask(number, "leave", kind.__name__ if kind else "", str(error) if kind else "")
        if operation != "next":
            return ask(number, operation, *given)
        items = ask(number, "next", 1)
        if not items:
            raise StopIteration
        return items[0]

    return method


def _get(ask: Ask, number: int, attribute: str) -> Any:
    if attribute.startswith("_"):
        raise AttributeError(attribute)
    return ask(number, "get", attribute)


def _add_signature(value: Any, parameters: list[Any]) -> None:
    """Let `inspect.signature` and a look at `__code__` find the parameters of a function."""
    made = [
        inspect.Parameter(
            name,
            inspect._ParameterKind(kind),
            default=None if has_default else inspect.Parameter.empty,
        )
        for name, kind, has_default in parameters
    ]
    names = tuple(name for name, kind, _ in parameters if kind <= 1)
    if made:
        code = SimpleNamespace(co_argcount=len(names), co_varnames=names)
        value.__dict__.update(__signature__=inspect.Signature(made), __code__=code)


def raised(
    described: Mapping[str, Any], classes: Mapping[int, type], arguments: list[Any]
) -> BaseException:
    """Return the exception that a call of the test has raised."""
    name, kinds = str(described["name"]), described["kinds"]
    base = getattr(builtins, kinds[0] if kinds else "Exception", Exception)
    kind = classes.get(described.get("class", -1))
    if kind is None:
        kind = base if base.__name__ == name else type(name, (base,), {})
    try:
        error: BaseException = kind(*arguments)
    except Exception:
        error = RuntimeError(described["text"])
    error._lent = described["number"]  # type: ignore[attr-defined]
    return error


def take_back(given: list[Any], after: list[Any]) -> None:
    """Let the program see how the test has changed the arguments of its call."""
    for old, new in zip(given, after, strict=False):
        refill(old, new)
