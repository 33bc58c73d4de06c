"""Every way in which a program can end has a status, and only one way passes."""

from __future__ import annotations

import signal

import pytest

from reasonrl.verify.sandbox.cell import Running
from reasonrl.verify.sandbox.ending import describe_end, ending_of
from reasonrl.verify.sandbox.zygote import ENDING

TRACEBACK = b"Traceback (most recent call last):\n  ...\nKeyError: 3"


def ending(wait_status: int, *, is_left: bool = False) -> bytes:
    return ENDING.pack(b"E"[0], wait_status, 0.25, is_left)


def status_of(message: bytes, *, stderr: bytes = b"", is_killed: bool = False) -> str:
    running = Running(handle=-1, control=-1, started=0.0, ending=message, stderr=bytearray(stderr))
    return describe_end(running, is_killed=is_killed, reason="")[0]


@pytest.mark.parametrize(
    ("wait_status", "stderr", "status"),
    [
        (0, b"", "PASS"),
        (3 << 8, b"", "NONZERO_EXIT"),
        (1 << 8, TRACEBACK, "RUNTIME_ERROR"),
        (1 << 8, b"Traceback (most recent call last):\nMemoryError", "MEMORY_LIMIT"),
        (signal.SIGKILL, b"", "TIME_LIMIT"),
        (signal.SIGXCPU, b"", "TIME_LIMIT"),
        (signal.SIGXFSZ, b"", "OUTPUT_LIMIT"),
        (signal.SIGSEGV, b"", "RUNTIME_ERROR"),
    ],
)
def test_a_wait_status_becomes_a_verdict(wait_status: int, stderr: bytes, status: str) -> None:
    assert status_of(ending(wait_status), stderr=stderr) == status


def test_a_process_that_is_left_running_fails_a_clean_exit() -> None:
    assert status_of(ending(0, is_left=True)) == "RUNTIME_ERROR"


def test_a_kill_for_memory_explains_whatever_the_wait_status_says() -> None:
    assert status_of(ending(signal.SIGKILL), is_killed=True) == "MEMORY_LIMIT"


@pytest.mark.parametrize(
    ("message", "status"),
    [(b"X no wall", "INFRA_ERROR"), (b"CSyntaxError\0", "COMPILE_ERROR"), (b"", "RUNTIME_ERROR")],
)
def test_a_message_from_before_the_program_has_a_status_too(message: bytes, status: str) -> None:
    assert status_of(message) == status


def test_a_wall_that_failed_is_never_the_fault_of_the_program() -> None:
    assert status_of(b"X no wall", is_killed=True) == "INFRA_ERROR"


def test_a_limit_of_the_supervisor_comes_before_the_wait_status() -> None:
    running = Running(handle=-1, control=-1, started=0.0, ending=ending(0))
    running.fault = ("OUTPUT_LIMIT", "more than 16 MiB of output")

    assert describe_end(running, is_killed=False, reason="") == running.fault


def test_the_reason_names_the_last_line_of_the_errors() -> None:
    running = Running(
        handle=-1, control=-1, started=0.0, ending=ending(1 << 8), stderr=bytearray(TRACEBACK)
    )

    assert describe_end(running, is_killed=False, reason="")[1] == "KeyError: 3"


def test_the_cost_is_read_from_a_whole_message_only() -> None:
    assert ending_of(ending(5)) == (5, 0.25, False)
    assert ending_of(ending(5)[:-1]) == (0, 0.0, False)
