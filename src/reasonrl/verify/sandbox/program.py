"""Run untrusted code in this process: as a script, or as a module whose functions are called.

Everything here shares its process with untrusted code, so nobody trusts what it says. A script is
compiled and returned to the zygote's first frame, which executes it as `__main__`, so that it ends
as any Python file ends. A solution that is called is loaded as a module and then answers a judge's
messages (`served`). Knows no expected output. Called by `zygote`.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import io
import os
import random
import sys
import threading
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

FILE_NAME = "solution.py"
# The public judges import these modules for a solution that is called.
_PRELUDE = (
    "array bisect cmath collections copy datetime decimal fractions functools heapq io itertools "
    "json math operator os random re string sys threading time typing"
).split()
_FROM = ("math", "operator", "string", "itertools", "functools", "bisect", "heapq", "collections")
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
        except BaseException:
            self._exit_code = self._exit_code or 120
        # A script may have deleted, closed, detached or replaced its streams. Their failure is not
        # the script's, unless output is lost.
        named = (getattr(sys, "stdout", None), getattr(sys, "stderr", None))
        for stream in (*named, *_open_files()):
            try:
                if stream is not None and not stream.closed:
                    stream.flush()
            except OSError:
                self._exit_code = self._exit_code or 120
            except BaseException:  # noqa: S112 - the interpreter ignores it as well
                continue
        os._exit(self._exit_code)


def read_script(source: str) -> Script:
    """Write the file, compile it, prepare a fresh `__main__`. Raises the errors of `compile`."""
    with open(FILE_NAME, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(source)
    code = compile(source.removeprefix("\ufeff"), FILE_NAME, "exec", dont_inherit=True)
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
