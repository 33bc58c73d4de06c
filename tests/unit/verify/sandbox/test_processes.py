"""The kernel's numbers cover a process and everything below it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from reasonrl.verify.sandbox.processes import memory_mb, n_threads

FAMILY = """
import subprocess, sys, threading, time
below = (
    "import threading, time; block = bytearray(100_000_000); "
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); "
    "print('ready', flush=True); time.sleep(60)"
)
child = subprocess.Popen([sys.executable, "-c", below], stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
try:
    sys.stdin.read()
finally:
    child.kill()
"""


@pytest.fixture
def handle() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as family:
        assert family.stdout is not None
        family.stdout.readline()
        descriptor = os.pidfd_open(family.pid)
        yield descriptor
        os.close(descriptor)
        family.communicate()


def test_memory_below_a_process_is_its_own(handle: int) -> None:
    assert 100 < memory_mb(handle) < 300


def test_threads_are_counted_below_the_first_process(handle: int) -> None:
    assert n_threads(handle) == 2
