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
from types import CodeType, ModuleType
from typing import Any, cast

from . import frames
from .holding import Holding
from .operations import OPERATIONS
from .program import FILE_NAME, prelude

_TARGET = re.compile(r"([A-Za-z_]\w*)(\(\))?(?:\.([A-Za-z_]\w*))?")
_DEPTH = 50_000
"""Recursion limit of called solutions; public judges raise it too. A script may set its own."""


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
        served.reply(request)


class _Served:
    """A loaded solution, and its objects to which the judge holds references."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._module = ModuleType("solution")
        self._names = self._module.__dict__
        self._printed: io.StringIO | None = None
        self._values = Holding(channel, self._names, self.reply)

    def reply(self, request: Mapping[str, Any]) -> None:
        """Answer one request of the judge."""
        try:
            reply = self.answer(request)
        except BaseException as error:
            reply = {"error": self._values.described(error)}
        try:
            frames.send(self._channel, reply)
        except (frames.Malformed, RecursionError, MemoryError) as error:
            frames.send(self._channel, {"error": self._values.described(error)})

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        operation = request["do"]
        if operation == "load":
            return self._load(request)
        if operation == "seed":
            random.seed(*self._values.decode(request["with"]))
            return {"value": None}
        subject = self._subject(request["of"])
        given, made = self._values.decode_with_objects(request["with"])
        if operation == "call":
            return self._with_print(self._call(subject, given, made, request["with"]))
        if operation == "tree":
            return {"value": self._values.encode(self._values.tree(subject))}
        if operation == "await":
            return self._with_print(
                {
                    "value": self._values.encode(
                        _run(_finish(cast(Coroutine[Any, Any, Any], subject)))
                    )
                }
            )
        result = OPERATIONS[operation](subject, *given)
        is_known = operation == "reference" or (result is subject and operation != "self")
        return {
            "value": self._values.reference(subject) if is_known else self._values.encode(result)
        }

    # loading

    def _load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        sys.modules["solution"] = self._module
        wanted = request.get("wants", {})
        self._values.is_plain = not wanted.get("objects")
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
        self._values.classes |= {
            name: kind for name, kind in named.items() if isinstance(kind, type)
        }
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
            name: self._values.keep(value)
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
            return self._values.kept[name]
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
        # The judge has other words for objects of the test and of the library.
        if any(tag[:1] == "=" for tag, _ in cast(Any, written)["nodes"]):
            written = self._values.encode(given)
        result = subject(*arguments, **named)
        reply: dict[str, Any] = {
            "value": self._made(subject, result) or self._values.encode(result)
        }
        after = self._values.encode(given)
        if after != written:
            reply["given"] = after
        same = next((index for index, value in made.items() if value is result), None)
        return reply if same is None else {**reply, "same": same}

    def _made(self, subject: object, result: object) -> dict[str, Any] | None:
        """Keep an object whose class the solution defines, even if that class extends a list."""
        is_own = isinstance(subject, type) and subject.__module__ == self._module.__name__
        is_fixed = isinstance(result, (tuple, enum.Enum))
        if not is_own or is_fixed or type(result).__name__ in self._values.classes:
            return None
        return self._values.reference(result)


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
