"""The same function on several nodes: work is cut into parts, parts of the dead are done again.

Knows nothing of what is done; verifiers are spread over the nodes with it.
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

_MOST_REPLACED = 3  # members in one call: then it is not the nodes


@failures_to_log
class _Member(Generic[T, R]):
    """Hold one worker function, built where it works."""

    def __init__(self, build: Callable[[], Callable[[Sequence[T]], list[R]]], log: Path) -> None:
        write_output_to(log)
        self._work = build()

    def work(self, items: Sequence[T]) -> list[R]:
        return self._work(items)


class Crew(Generic[T, R]):
    """Own the members. `build` makes the function in each member's process.

    A call waits while all are busy: nothing piles up. Raises EngineLost when members keep dying.
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
        """Return the function of every item, in order."""
        size = self._part_size
        parts = deque((first, items[first : first + size]) for first in range(0, len(items), size))
        found: dict[int, list[R]] = {}
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
                found[part[0]] = settle(done, who=self._name(number))
            except EngineLost as error:
                replaced += 1
                if replaced > _MOST_REPLACED:
                    raise
                self._on_event(f"{error.what}; replaced, {len(part[1])} answers are judged again")
                parts.appendleft(part)
                self._seats[number] = Seat()  # the node may be lost too: wherever there is room
                self._members[number] = self._start(number)
        return [result for first in sorted(found) for result in found[first]]

    def _start(self, number: int) -> Any:
        log = self._logs / f"{self._name(number)}.log"
        return start(_Member, self._seats[number], self._build, log)

    def _name(self, number: int) -> str:
        return f"verifier-{number}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        end(self._members)
