"""One function on several nodes: items are cut into parts, and a lost member's part is redone.

This module does not know the function; runs on a cluster use it for their verifiers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import ray

from reasonrl.engines.remote.cluster import (
    Seat,
    end,
    failures_to_log,
    settle,
    start,
    write_output_to,
)
from reasonrl.errors import EngineLost

T = TypeVar("T")
R = TypeVar("R")

# Give up after this many replacements in one call: the fault is not in the nodes then.
_MAX_REPLACEMENTS_PER_CALL = 3


@failures_to_log
class _Member(Generic[T, R]):
    """One member: the function, built in the process where it runs."""

    def __init__(self, build: Callable[[], Callable[[Sequence[T]], list[R]]], log: Path) -> None:
        write_output_to(log)
        self._work = build()

    def work(self, items: Sequence[T]) -> list[R]:
        return self._work(items)


class Crew(Generic[T, R]):
    """The members that share the work. `build` makes the function in each member's process.

    A member gets a part only when it is idle, so no queue grows in its process. A call raises
    EngineLost when members keep dying.
    """

    def __init__(
        self,
        build: Callable[[], Callable[[Sequence[T]], list[R]]],
        seats: Sequence[Seat],
        *,
        logs: Path,
        part_size: int,
        on_event: Callable[[str], None],
    ) -> None:
        self._build = build
        self._seats = list(seats)
        self._logs = logs
        self._part_size = part_size
        self._on_event = on_event
        self._members = [self._start(number) for number in range(len(seats))]

    def __call__(self, items: Sequence[T]) -> list[R]:
        """Return the function's results for all items, in order."""
        size = self._part_size
        parts = deque((first, items[first : first + size]) for first in range(0, len(items), size))
        results: dict[int, list[R]] = {}
        busy: dict[Any, tuple[int, tuple[int, Sequence[T]]]] = {}
        replaced = 0
        while parts or busy:
            idle = set(range(len(self._members))) - {number for number, _ in busy.values()}
            for number in sorted(idle)[: len(parts)]:
                part = parts.popleft()
                busy[self._members[number].work.remote(part[1])] = (number, part)
            [done], _ = ray.wait(list(busy), num_returns=1)
            number, part = busy.pop(done)
            try:
                results[part[0]] = settle(done, who=self._name(number))
            except EngineLost as error:
                replaced += 1
                if replaced > _MAX_REPLACEMENTS_PER_CALL:
                    raise
                self._on_event(f"{error.what}; replaced, {len(part[1])} answers are judged again")
                parts.appendleft(part)
                # The node may be lost too, so the new member may start on any node with room.
                self._seats[number] = Seat()
                self._members[number] = self._start(number)
        return [result for first in sorted(results) for result in results[first]]

    def _start(self, number: int) -> Any:
        log = self._logs / f"{self._name(number)}.log"
        return start(_Member, self._seats[number], self._build, log)

    def _name(self, number: int) -> str:
        return f"verifier-{number}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        end(self._members)
