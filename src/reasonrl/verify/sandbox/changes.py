"""Let a test see how the program has changed the arguments of a call, where it may.

Called by `remote`.
"""

from __future__ import annotations

import copy
import sys
from types import FrameType, FunctionType
from typing import Any

from .failures import Tampered
from .stand import Linked, Stand
from .values import refill

TEST_FILE = "tests.py"
"""The file name under which test code is compiled."""


class Changes:
    """The changes of arguments; `assertion_lines` are the lines of the running test."""

    def __init__(self, assertion_lines: set[int]) -> None:
        self._assertion_lines = assertion_lines
        # Arguments that a helper of an assertion has seen changed, each with its old content.
        self._journal: list[tuple[Any, Any]] = []

    def show(
        self, after: object, result: object, given: tuple[Any, ...], named: dict[str, Any]
    ) -> bool:
        """Copy changed arguments back if the test may see them; return whether it may.

        It may after a call that returns None, which is made for the sake of the change, and outside
        of assertions. In `assert f(x) == sorted(x)` it may not: a program that empties `x` would
        choose its own expected value. A helper that an assertion calls sees the change until it
        returns (`helped`).
        """
        if not (isinstance(after, list) and len(after) == 2 and isinstance(after[1], dict)):
            raise Tampered("the changed arguments have the wrong shape")
        caller = _caller()
        is_hidden = result is not None and self._is_assertion(caller)
        if is_hidden:
            return False
        pairs = [*zip(given, after[0], strict=False)]
        pairs += [(named[name], after[1][name]) for name in named.keys() & after[1].keys()]
        is_helper = self._is_below_assertion(caller)
        for old, new in pairs:
            if is_helper:
                self._journal.append((old, _content(old)))
            _set_content(old, new)
        return True

    def helped(self, function: Any, /, *given: Any, **named: Any) -> Any:
        """Call a function for an assertion; the assertion does not see what a helper has changed.

        A helper that returns None is called for the sake of the change.
        """
        if not isinstance(function, FunctionType):
            return function(*given, **named)
        outer, self._journal = self._journal, []
        try:
            result = function(*given, **named)
            if result is None:
                self._journal.clear()
            elif self._journal:
                # The result may be the changed argument itself.
                result = copy.deepcopy(result)
            return result
        finally:
            for old, content in reversed(self._journal):
                _set_content(old, content)
            self._journal = outer

    def _is_assertion(self, frame: FrameType | None) -> bool:
        return (
            frame is not None
            and frame.f_code.co_filename == TEST_FILE
            and frame.f_lineno in self._assertion_lines
        )

    def _is_below_assertion(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if self._is_assertion(frame):
                return True
            frame = frame.f_back
        return False


def _caller() -> FrameType | None:
    """Return the innermost frame that belongs to the test, not to this package."""
    own = __name__.rpartition(".")[0]
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(own + "."):
        frame = frame.f_back
    return frame


def _content(value: Any) -> Any:
    """Return a shallow copy of the content that `_set_content` replaces."""
    if isinstance(value, (list, dict, set)):
        return copy.copy(value)
    return dict(value.__dict__) if hasattr(value, "__dict__") else None


def _set_content(old: Any, new: Any) -> None:
    if isinstance(old, (Stand, Linked)) or refill(old, new):
        return
    if hasattr(old, "__dict__"):
        old.__dict__.update(new if isinstance(new, dict) else getattr(new, "__dict__", {}))
