"""Ten thousand mixed verifications leave the process as it was."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice

import psutil
import pytest

from reasonrl.types import Status
from reasonrl.verify import Verifier
from tests.corpus.mixed import BOMBS, item, mixed

CHUNK = 500
MAX_GROWTH_BYTES = 20 << 20


@pytest.mark.parametrize("gold", ["42", r"\sqrt{2}", "x", "1, 2", "yes"])
def test_no_bomb_is_right(verifier: Verifier, gold: str) -> None:
    verdicts = verifier.verify_batch([item(gold, bomb) for bomb in BOMBS], deadline_s=0.8)

    assert Status.CORRECT not in {verdict.status for verdict in verdicts}
    assert {verdict.status for verdict in verdicts} <= set(Status) - {Status.INFRA_ERROR}


@pytest.mark.slow
@pytest.mark.long
def test_ten_thousand_mixed_verifications_leave_no_trace() -> None:
    me, statuses, sizes = psutil.Process(), Counter[Status](), []
    others = _grandchildren(me)
    with Verifier(deadline_s=30) as verifier:
        questions = mixed(10_000)
        verifier.verify_batch(list(islice(mixed(1_000, seed=1), 1_000)))  # caches fill
        before = _descriptors_and_children(me)
        while chunk := list(islice(questions, CHUNK)):
            statuses.update(verdict.status for verdict in verifier.verify_batch(chunk))
            gc.collect()
            sizes.append(me.memory_info().rss)
        after = _descriptors_and_children(me)
        zombies = [p for p in me.children(recursive=True) if p.status() == psutil.STATUS_ZOMBIE]

    assert statuses.total() == 10_000
    assert statuses[Status.INFRA_ERROR] == statuses[Status.TIMEOUT] == 0
    assert after == before
    assert not zombies
    assert sizes[-1] - sizes[len(sizes) // 2] < MAX_GROWTH_BYTES
    assert _end_soon(lambda: _grandchildren(me) - others)


def _descriptors_and_children(process: psutil.Process) -> tuple[int, int]:
    return process.num_fds(), len(process.children(recursive=True))


def _grandchildren(process: psutil.Process) -> set[int]:
    """Return the workers: they are forked by the fork server, which itself stays."""
    children = process.children(recursive=True)
    return {child.pid for child in children if child.ppid() != process.pid}


def _end_soon(left: Callable[[], set[int]]) -> bool:
    deadline = time.monotonic() + 30
    while left() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not left()
