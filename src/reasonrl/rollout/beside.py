"""Judging beside sampling: responses are judged as they end, while others are still sampled.

A verdict depends on its response alone, so it does not matter when it is asked for. A judge of
programs or of algebra waits for other processes, and the sampler goes on meanwhile.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from reasonrl.rollout.judge import Judge
from reasonrl.types import Verdict, VerifyItem

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class EarlyJudge:
    """A judge that may be asked in any thread, and so beside the sampling."""

    judge: Judge

    def __call__(self, items: Sequence[VerifyItem]) -> list[Verdict]:
        """Return a verdict for each answer, in order."""
        return self.judge(items)


class JudgedBeside(Generic[K]):
    """Verdicts on responses by key; an `EarlyJudge` is asked in a thread, from `begin` on.

    Any other judge is asked by `finish`. Without a judge every verdict is None. `at_once` bounds
    the responses of one question, 0 means all; `note` hears of verdicts as they come, in whatever
    thread. Use as a context manager: an error drops what still waits.
    """

    def __init__(
        self,
        judge: Judge | None,
        *,
        at_once: int = 0,
        note: Callable[[Mapping[K, Verdict]], None] = lambda _: None,
    ) -> None:
        self._judge, self._at_once, self._note = judge, at_once, note
        self._thread = ThreadPoolExecutor(1, "judge") if isinstance(judge, EarlyJudge) else None
        self._calls: deque[Future[None]] = deque()
        self._lock = threading.Lock()
        self._waiting: dict[K, VerifyItem] = {}
        self._known: dict[K, Verdict] = {}

    def begin(self, key: K, item: VerifyItem) -> None:
        """Let a response be judged."""
        if self._thread is not None:
            with self._lock:
                self._waiting[key] = item
            self._calls.append(self._thread.submit(self._ask_waiting))

    def finish(self, items: Mapping[K, VerifyItem]) -> dict[K, Verdict | None]:
        """Return the verdict of each response, in order; judge those that were not begun.

        Raises what the judge raised, in the thread too.
        """
        if self._judge is None:
            return dict.fromkeys(items)
        while self._calls and not items.keys() <= self._known.keys():
            self._calls.popleft().result()
        self._ask({key: item for key, item in items.items() if key not in self._known})
        return {key: self._known[key] for key in items}

    def _ask_waiting(self) -> None:
        with self._lock:
            items, self._waiting = self._waiting, {}
        self._ask(items)

    def _ask(self, items: Mapping[K, VerifyItem]) -> None:
        keys = list(items)
        size = self._at_once or len(keys)
        for first in range(0, len(keys), size or 1):
            part = keys[first : first + size]
            assert self._judge is not None  # nothing waits for no judge
            verdicts = dict(zip(part, self._judge([items[key] for key in part]), strict=True))
            with self._lock:
                self._known |= verdicts
            self._note(verdicts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._waiting = {}
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
