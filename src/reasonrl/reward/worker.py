"""A worker process: load one reward function, call it on the records that come in, answer each.

Started by `pool` as `python -m reasonrl.reward.worker`; speaks one JSON value a line. What the
function prints goes to a log of limited size and never between the answers.

    in:   {"function": "rewards.py:short", "batch": false, "deadline_s": 10.0, ...}   once
    out:  {"ready": true, "async": false, "files": [...]} or {"refused": "...", "remedy": "..."}
    in:   [[record], [record], ...]           calls, each with the records of one call
    out:  {"call": 0, "values": [[0.5, "note"]]} or {"call": 0, "error": "...", "trace": "..."}
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.util
import inspect
import io
import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reasonrl.reward.record import RolloutRecord, from_json

_LOG_CHARS = 1 << 20
_NOTE_CHARS = 500
_MODULE = "reward_functions"


class Unusable(Exception):
    """Report a function that cannot be loaded or called as the recipe says; `remedy` is a hint."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


class CappedLog(io.TextIOBase):
    """A text file that takes a limited number of characters and drops the rest."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._left = _LOG_CHARS

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._path is not None and self._left > 0:
            shown = text[: self._left]
            self._left -= len(shown)
            end = "" if self._left > 0 else "\n[the log of this worker is full]\n"
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(shown + end)
        return len(text)


def main() -> None:
    """Serve until the pool closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's to understand
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    setup = json.loads(requests.readline())
    sys.stdout = sys.stderr = CappedLog(setup["log"])
    me = os.getpid()

    def say(answer: dict[str, Any]) -> None:
        if os.getpid() != me:
            os._exit(0)  # a child that the function forked came back; it has no one to answer
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        function = load(setup["function"])
        check(function, batch=setup["batch"])
    except Unusable as error:
        say({"refused": str(error), "remedy": error.remedy})
        return
    is_async = inspect.iscoroutinefunction(function)
    say({"ready": True, "async": is_async, "files": local_files(setup["function"])})
    for line in requests:
        calls = [[from_json(values) for values in call] for call in json.loads(line)]
        if is_async:
            asyncio.run(answer_all(function, calls, setup, say))
        else:
            for number, records in enumerate(calls):
                say({"call": number, **answer_of(function, records, batch=setup["batch"])})


def load(name: str) -> Callable[..., Any]:
    """Return the function of `FILE.py:NAME` or `package.module:NAME`.

    Raises Unusable with the line that failed.
    """
    where, _, attribute = name.rpartition(":")
    if where.endswith(".py") and not Path(where).is_file():
        raise Unusable(f"{where}: no such file", "check the path beside the recipe")
    try:
        if where.endswith(".py"):
            file = Path(where)
            sys.path.insert(0, str(file.parent))
            spec = importlib.util.spec_from_file_location(_MODULE, file)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[_MODULE] = module
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
    except ModuleNotFoundError as error:
        raise Unusable(
            f"{where} cannot be imported: {error}{line_of(error)}",
            f"install {error.name}, or correct the import"
            if error.name != where
            else "check the name, or write the path of a file that ends in .py",
        ) from error
    except BaseException as error:
        what = f"{where} cannot be imported: {type(error).__name__}: {error}{line_of(error)}"
        raise Unusable(
            what,
            "mend the file; a data file needs an absolute path, for a run keeps only code",
        ) from error
    if not hasattr(module, attribute):
        names = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        raise Unusable(
            f"{where} has no function {attribute!r}",
            f"use one of {', '.join(sorted(names)) or 'its functions; it has none'}",
        )
    function: Callable[..., Any] = getattr(module, attribute)
    return function


def check(function: Any, *, batch: bool) -> None:
    """Raise Unusable unless the function can be called with one argument."""
    if not callable(function):
        raise Unusable(f"{function!r} is not a function", "name a function in `function`")
    taken = "a list of records" if batch else "one record"
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise Unusable(
            f"it cannot be called with one argument: {error}", f"let it take {taken}"
        ) from error
    except ValueError:
        return  # a function of C without a signature: the first call will tell


async def answer_all(
    function: Callable[..., Any],
    calls: Sequence[Sequence[RolloutRecord]],
    setup: dict[str, Any],
    say: Callable[[dict[str, Any]], None],
) -> None:
    """Answer all calls of an async function side by side."""

    async def answer(number: int, records: Sequence[RolloutRecord]) -> None:
        answer: dict[str, Any]
        try:
            work = function(list(records) if setup["batch"] else records[0])
            result = await asyncio.wait_for(work, setup["deadline_s"])
            answer = {"values": values_of(result, len(records), batch=setup["batch"])}
        except TimeoutError:
            answer = {"error": f"no result within {setup['deadline_s']:g} s", "trace": ""}
        except BaseException as error:  # noqa: BLE001 - it becomes a masked rollout
            answer = fault(error)
        say({"call": number, **answer})

    await asyncio.gather(*(answer(number, records) for number, records in enumerate(calls)))


def answer_of(
    function: Callable[..., Any], records: Sequence[RolloutRecord], *, batch: bool
) -> dict[str, Any]:
    """Return the values of one call, or the error that it ended with."""
    try:
        result = function(list(records) if batch else records[0])
        return {"values": values_of(result, len(records), batch=batch)}
    except BaseException as error:  # noqa: BLE001 - it becomes a masked rollout
        return fault(error)


def fault(error: BaseException) -> dict[str, Any]:
    """Return an error in one line, with the line of the function, and its whole traceback."""
    if isinstance(error, SystemExit):
        what = f"it called exit({error.code!r})"
    else:
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    trace = "".join(traceback.format_exception(error))
    return {"error": f"{what[:_NOTE_CHARS]}{line_of(error)}", "trace": trace[-8_000:]}


def line_of(error: BaseException) -> str:
    """Return the file and line of the user's code that an error comes from; empty outside it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and not frame.filename.startswith("<")
    ]
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name}:{error.lineno})"
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def values_of(result: Any, n: int, *, batch: bool) -> list[list[Any]]:
    """Return [value, note] for each record; raise TypeError or ValueError for anything else."""
    if not batch:
        return [value_of(result)]
    if isinstance(result, str | bytes | dict) or not hasattr(result, "__len__"):
        raise TypeError(f"it returned {kind(result)}; return a list of {n} numbers")
    if len(result) != n:
        raise ValueError(f"it returned {len(result)} values for {n} rollouts; return one for each")
    return [value_of(value) for value in result]


def value_of(result: Any) -> list[Any]:
    """Return [value, note] of a number, a number with a note, or None."""
    note = ""
    if isinstance(result, tuple) and len(result) == 2:
        result, note = result
        note = " ".join(str(note).split())[:_NOTE_CHARS]
    if result is None:
        return [None, note or "it returned None"]
    if isinstance(result, str | bytes | list | dict | tuple):
        raise TypeError(f"it returned {kind(result)}; return a number, (number, note) or None")
    try:
        value = float(result)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"it returned {kind(result)}; return a number, (number, note) or None"
        ) from None
    if not math.isfinite(value):
        raise ValueError(f"it returned {value}; return a finite number or None")
    return [value, note]


def kind(value: Any) -> str:
    """Return the type of a value and its start, for a message."""
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= 40 else shown[:37] + '...'}"


def local_files(name: str) -> list[str]:
    """Return the function's file and the modules beside it that any of them imports, anywhere.

    Only the source is read, so that an import inside a function counts. None of a package.
    """
    where = name.rpartition(":")[0]
    if not where.endswith(".py"):
        return []
    first = Path(where).resolve()
    files, todo = {first: None}, [first]
    while todo:
        for module in imported_by(todo.pop()):
            for file in beside(first.parent, module):
                if file not in files:
                    files[file] = None
                    todo.append(file)
    return [str(file) for file in files]


def imported_by(file: Path) -> set[str]:
    """Return the first names of the modules that a file imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def beside(folder: Path, module: str) -> list[Path]:
    """Return the files of a module or package that lies in a folder; empty where none does."""
    if (package := folder / module / "__init__.py").is_file():
        return sorted(package.parent.rglob("*.py"))
    file = folder / f"{module}.py"
    return [file] if module and file.is_file() else []


if __name__ == "__main__":
    main()
