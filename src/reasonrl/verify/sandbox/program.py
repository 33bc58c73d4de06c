"""Run untrusted code in this process: as a script, or as a module whose functions are called.

Everything here shares its process with untrusted code, so nobody trusts what it says. A script is
compiled and returned to the zygote's first frame, which executes it as `__main__`, so that it ends
as any Python file ends. A solution that is called is loaded as a module and then answers a judge's
messages. Knows no expected output. Called by `zygote`.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import io
import os
import random
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

from . import frames, values

FILE_NAME = "solution.py"
_TARGET = re.compile(r"([A-Za-z_]\w*)(\(\))?(?:\.([A-Za-z_]\w*))?")
# The public judges import these modules for a solution that is called.
_PRELUDE = (
    "array bisect cmath collections copy datetime decimal fractions functools heapq io itertools "
    "json math operator os random re string sys threading time typing"
).split()
_FROM = ("math", "operator", "string", "itertools", "functools", "bisect", "heapq", "collections")
_BIG_ERROR = 2_000
_DEPTH = 50_000
"""Recursion limit of called solutions; public judges raise it too. A script may set its own."""
_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


@dataclass(slots=True)
class Script:
    """A compiled script and its namespace; ends the process as the interpreter would.

    One step of the interpreter is left out, because it costs more than a short script: modules are
    not torn down, so `__del__` of an object that lives until the end is not called.
    """

    code: CodeType
    namespace: dict[str, Any]
    _exit_code: int = 0

    def fail(self, error: BaseException) -> None:
        """Record the exception that ended the script: an exit code, or an error to print."""
        if isinstance(error, SystemExit):
            code = error.code
            if code is not None and not isinstance(code, int):
                print(code, file=sys.stderr)
            self._exit_code = 0 if code is None else code & 0xFF if isinstance(code, int) else 1
        else:
            self._exit_code = 1
            sys.excepthook(type(error), error, error.__traceback__)

    def end(self) -> None:
        """Wait for threads, call the registered exit functions, flush all files, and exit."""
        try:
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr, *_open_files()):
                if stream is not None and not stream.closed:
                    stream.flush()
        except BaseException:
            self._exit_code = self._exit_code or 120
        os._exit(self._exit_code)


def read_script(source: str) -> Script:
    """Write the file, compile it, prepare a fresh `__main__`. Raises the errors of `compile`."""
    with open(FILE_NAME, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(source)
    code = compile(source, FILE_NAME, "exec", dont_inherit=True)
    main = ModuleType("__main__")
    main.__dict__.update(__file__=FILE_NAME, __builtins__=builtins)
    sys.modules["__main__"] = main
    sys.argv = [FILE_NAME]
    sys.path.insert(0, "")
    random.seed()
    return Script(code, main.__dict__)


def _open_files() -> list[Any]:
    """Return the files that are open for writing, each text file before the buffer below it."""
    files = [item for item in gc.get_objects() if type(item) in _FILES]
    return sorted(files, key=lambda file: _FILES.index(type(file)))


def serve_calls(channel: int) -> None:
    """Load a solution and answer a judge until it closes the channel."""
    random.seed()
    sys.setrecursionlimit(_DEPTH)
    served = _Served()
    while True:
        try:
            request = frames.receive(channel)
        except frames.Closed:
            return
        try:
            reply = served.answer(request)
        except BaseException as error:
            reply = {"error": _described(error)}
        try:
            frames.send(channel, reply)
        except (frames.Malformed, RecursionError, MemoryError) as error:
            frames.send(channel, {"error": _described(error)})


class _Served:
    """A loaded solution, and its objects to which the judge holds references."""

    def __init__(self) -> None:
        self._module = ModuleType("solution")
        self._names = self._module.__dict__
        self._kept: dict[int, object] = {}
        self._classes: dict[str, type] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if request["do"] == "load":
            return self._load(request)
        subject = self._subject(request["of"])
        given = self._decode(request["with"])
        if request["do"] == "call":
            return self._call(subject, given, request["with"])
        return {"value": self._encode(_OPERATIONS[request["do"]](subject, *given))}

    def _load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        sys.modules["solution"] = self._module
        self._names["__builtins__"] = {**vars(builtins), **prelude()}
        code = compile(request["code"], FILE_NAME, "exec", dont_inherit=True)
        prefix = compile(request["prefix"], "prefix.py", "exec", dont_inherit=True)
        exec(prefix, self._names)
        before = dict(self._names)
        exec(code, self._names)
        named = {name: self._names.get(name) for name in request["classes"]}
        self._classes = {name: kind for name, kind in named.items() if isinstance(kind, type)}
        changed = [name for name in self._names if self._names[name] is not before.get(name)]
        methods = [f"Solution.{name}" for name in dir(self._names.get("Solution"))]
        return {"names": [*(name for name in changed if not name.startswith("__")), *methods]}

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

    def _call(self, subject: Any, given: Any, written: object) -> dict[str, Any]:
        arguments, named = given
        result = subject(*arguments, **named)
        reply = {"value": self._made(subject, result) or self._encode(result)}
        after = self._encode(given)
        return reply if after == written else {**reply, "given": after}

    def _made(self, subject: object, result: object) -> dict[str, Any] | None:
        """Keep an object whose class the solution defines, even if that class extends a list."""
        is_own = isinstance(subject, type) and subject.__module__ == self._module.__name__
        if not is_own or type(result).__name__ in self._classes:
            return None
        return {"nodes": [["kept", self._keep(result)]], "root": [0]}

    def _encode(self, value: object) -> dict[str, Any]:
        return values.encode(value, self._classes, self._keep)

    def _decode(self, table: object) -> Any:
        return values.decode(table, self._classes, self._kept.__getitem__)

    def _keep(self, value: object) -> int:
        self._kept[id(value)] = value
        return id(value)


def _next(iterator: Any, at_most: int) -> list[object]:
    """Return up to `at_most` items; fewer items mean the end."""
    items = []
    for _ in range(at_most):
        try:
            items.append(next(iterator))
        except StopIteration:
            break
    return items


_OPERATIONS: Mapping[str, Any] = {
    "get": getattr,
    "set": setattr,
    "iter": iter,
    "next": _next,
    "len": len,
    "item": lambda subject, key: subject[key],
    "has": lambda subject, item: item in subject,
    "str": str,
    "repr": repr,
    "true": bool,
}


def prelude() -> dict[str, Any]:
    """Return the names that solutions use without importing them; no name hides a builtin.

    The names are added to the builtins, so that none counts as a function of the solution.
    """
    names: dict[str, Any] = {}
    for name in _FROM:
        module = __import__(name)
        public = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
        names.update((n, getattr(module, n)) for n in public if not hasattr(builtins, n))
    typing = __import__("typing")
    names.update((name, getattr(typing, name)) for name in typing.__all__ if name not in names)
    names.update((name, __import__(name)) for name in _PRELUDE)
    names.update(datetime=__import__("datetime").datetime, deque=names["deque"])
    return names


def _described(error: BaseException) -> dict[str, Any]:
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    try:
        text = str(error)[:_BIG_ERROR]
    except BaseException:
        text = ""
    return {"name": type(error).__name__, "kinds": kinds, "text": text}
