"""Load a solution in this process and answer a judge's messages about it.

Everything here shares its process with untrusted code, so nobody trusts what it says. An object
that is no plain data is kept, and the judge gets its number. Called by `zygote`.
"""

from __future__ import annotations

import builtins
import enum
import io
import random
import re
import sys
from collections.abc import Callable, Coroutine, Mapping
from types import CodeType, CoroutineType, ModuleType
from typing import Any, cast

from . import frames, values
from .operations import OPERATIONS
from .program import FILE_NAME, prelude
from .special import find_in_library, make_numpy, write_numpy

_TARGET = re.compile(r"([A-Za-z_]\w*)(\(\))?(?:\.([A-Za-z_]\w*))?")
_BIG_ERROR = 2_000
_DEPTH = 50_000
"""Recursion limit of called solutions; public judges raise it too. A script may set its own."""
_CAUSES = 3


def serve_calls(channel: int) -> None:
    """Load a solution and answer a judge until it closes the channel."""
    random.seed()
    sys.setrecursionlimit(_DEPTH)
    served = _Served(channel)
    while True:
        try:
            request = frames.receive(channel, frames.MAX_JOB_BYTES)
        except frames.Closed:
            return
        try:
            reply = served.answer(request)
        except BaseException as error:
            reply = {"error": served.described(error)}
        try:
            frames.send(channel, reply)
        except (frames.Malformed, RecursionError, MemoryError) as error:
            frames.send(channel, {"error": served.described(error)})


class _Served:
    """A loaded solution, and its objects to which the judge holds references."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._module = ModuleType("solution")
        self._names = self._module.__dict__
        self._kept: dict[int, object] = {}
        self._classes: dict[str, type] = {}
        self._is_plain = True
        self._printed: io.StringIO | None = None

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        operation = request["do"]
        if operation == "load":
            return self._load(request)
        if operation == "seed":
            random.seed(*self._decode(request["with"]))
            return {"value": None}
        subject = self._subject(request["of"])
        given, made = values.decode_with_objects(
            request["with"], self._classes, self._kept.__getitem__, _make
        )
        if operation == "call":
            return self._with_print(self._call(subject, given, made, request["with"]))
        if operation == "tree":
            return {"value": self._encode(self._tree(subject))}
        if operation == "await":
            return self._with_print(
                {"value": self._encode(_run(_finish(cast(Coroutine[Any, Any, Any], subject))))}
            )
        result = OPERATIONS[operation](subject, *given)
        is_known = result is subject and operation != "self"
        return {"value": self._reference(subject) if is_known else self._encode(result)}

    # loading

    def _load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        sys.modules["solution"] = self._module
        wanted = request.get("wants", {})
        self._is_plain = not wanted.get("objects")
        own = {"input": self._input} if wanted.get("input") else {}
        if own:
            sys.stdin = _Lines(self._input)
        if wanted.get("output"):
            self._printed = sys.stdout = io.StringIO()
        self._names["__builtins__"] = {**vars(builtins), **prelude(), **own}
        code = _compiled(request["code"].removeprefix("\ufeff"), FILE_NAME)
        prefix = _compiled(request["prefix"], "prefix.py")
        exec(prefix, self._names)
        before = dict(self._names)
        exec(code, self._names)
        named = {name: self._names.get(name) for name in request["classes"]}
        self._classes = {name: kind for name, kind in named.items() if isinstance(kind, type)}
        return self._with_print(self._describe_names(before))

    def _describe_names(self, before: Mapping[str, object]) -> dict[str, Any]:
        changed = {
            name: value
            for name, value in self._names.items()
            if value is not before.get(name) and not name.startswith("__")
        }
        modules = [name for name, value in changed.items() if isinstance(value, ModuleType)]
        methods = [f"Solution.{name}" for name in dir(self._names.get("Solution"))]
        numbers = {
            name: self._keep(value)
            for name, value in changed.items()
            if getattr(value, "__module__", None) == "solution" and callable(value)
        }
        variables = [
            name for name, value in changed.items() if not callable(value) and name not in modules
        ]
        return {
            "names": [*changed, *methods],
            "numbers": numbers,
            "variables": variables,
            "modules": modules,
        }

    def _input(self, prompt: object = "") -> str:
        """Ask the judge for a line: the test may have put a function in the place of `input`."""
        frames.send(self._channel, {"ask": "input", "prompt": str(prompt)})
        reply = frames.receive(self._channel, frames.MAX_JOB_BYTES)
        if "line" not in reply:
            raise EOFError("EOF when reading a line")
        return str(reply["line"])

    def _with_print(self, reply: dict[str, Any]) -> dict[str, Any]:
        if self._printed is None or not (text := self._printed.getvalue()):
            return reply
        self._printed.seek(0)
        self._printed.truncate()
        return {**reply, "printed": text}

    # calling

    def _subject(self, name: object) -> object:
        """Return the object behind a reference's number or a target such as `Solution().f`."""
        if isinstance(name, int):
            return self._kept[name]
        if (match := _TARGET.fullmatch(str(name))) is None:
            raise NameError(f"not a name: {name!r}")
        first, is_made, attribute = match.groups()
        if first not in self._names:
            raise NameError(f"name {first!r} is not defined")
        subject = self._names[first]
        subject = subject() if is_made else subject
        return getattr(subject, attribute) if attribute else subject

    def _call(
        self, subject: Any, given: Any, made: Mapping[int, object], written: object
    ) -> dict[str, Any]:
        arguments, named = given
        result = subject(*arguments, **named)
        reply: dict[str, Any] = {"value": self._made(subject, result) or self._encode(result)}
        after = self._encode(given)
        if after != written:
            reply["given"] = after
        same = next((index for index, value in made.items() if value is result), None)
        return reply if same is None else {**reply, "same": same}

    def _made(self, subject: object, result: object) -> dict[str, Any] | None:
        """Keep an object whose class the solution defines, even if that class extends a list."""
        is_own = isinstance(subject, type) and subject.__module__ == self._module.__name__
        is_fixed = isinstance(result, (tuple, enum.Enum))
        if not is_own or is_fixed or type(result).__name__ in self._classes:
            return None
        return self._reference(result)

    def _reference(self, value: object) -> dict[str, Any]:
        return {"nodes": [["kept", self._keep(value)]], "root": [0]}

    def _encode(self, value: object) -> dict[str, Any]:
        return values.encode(value, self._classes, self._keep, self._special)

    def _decode(self, table: object) -> Any:
        return values.decode(table, self._classes, self._kept.__getitem__, _make)

    def _keep(self, value: object) -> int:
        self._kept[id(value)] = value
        return id(value)

    def _special(self, value: Any) -> tuple[str, list[Any], list[Any]] | None:
        """Write what is more than plain data: own classes, named tuples, arrays, coroutines."""
        kind = type(value)
        if self._is_plain:
            return None
        if kind.__module__ == "numpy" and (written := write_numpy(value)) is not None:
            return written
        if kind is CoroutineType:
            return "coroutine", [self._keep(value)], []
        is_linked = kind.__module__ == "solution" or isinstance(value, enum.Enum)
        if not (is_linked or hasattr(kind, "_fields")) or isinstance(value, type):
            return None
        plain = values.plain_base(value)
        return None if plain is value else ("linked", [self._keep(value)], [plain])

    # exceptions

    def described(self, error: BaseException, depth: int = 0) -> dict[str, Any]:
        """Return what the judge needs for a copy of an exception."""
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        try:
            text = str(error)[:_BIG_ERROR]
        except BaseException:
            text = ""
        described: dict[str, Any] = {"name": type(error).__name__, "kinds": kinds, "text": text}
        try:
            described["arguments"] = self._encode(list(error.args))
            described["tree"] = self._tree(type(error))
            described["number"] = self._keep(error)
            if error.__cause__ is not None and depth < _CAUSES:
                described["cause"] = self.described(error.__cause__, depth + 1)
        except BaseException:
            # The program's exception cannot be described further.
            return {"name": described["name"], "kinds": kinds, "text": text}
        return described

    def _tree(self, kind: Any) -> list[Any]:
        """Return a class of exceptions: its name for one of the library, else also its bases."""
        if kind.__module__ == "builtins":
            return [kind.__name__]
        if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
            return [f"{kind.__module__}.{kind.__qualname__}"]
        bases = [self._tree(base) for base in kind.__bases__]
        return [kind.__name__, self._keep(kind), bases]


class _Lines(io.TextIOBase):
    """A standard input that asks the judge for each line."""

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask

    def readline(self, _: int = -1, /) -> str:  # type: ignore[override]
        try:
            return self._ask() + "\n"
        except EOFError:
            return ""

    def read(self, _: int | None = -1, /) -> str:
        return "".join(iter(self.readline, ""))


def _compiled(source: str, name: str) -> CodeType:
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except (ValueError, OverflowError) as error:
        # A half surrogate or a NUL in the source: it is no Python.
        raise SyntaxError(str(error)) from error


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    # Few programs need it, and it is large.
    import asyncio

    return asyncio.run(coroutine)


async def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await coroutine


def _make(tag: str, parts: list[Any], items: list[Any]) -> object:
    if tag == "numpy":
        return make_numpy(parts, items)
    if tag == "library":
        return find_in_library(*parts)
    raise frames.Malformed(f"a value of kind {tag}")
