"""Translate the end of a program into a status and a reason. Pure. Called by `supervisor`."""

from __future__ import annotations

import os
import signal

from . import zygote
from .cell import Running


def describe_end(running: Running, *, is_killed: bool, reason: str) -> tuple[str, str]:
    """Return the status and reason of a program that ended; PASS if its end is in order.

    `is_killed` says that the kernel killed it for its memory; `reason` is used where the end itself
    explains nothing.
    """
    message = running.ending
    errors = running.stderr.decode("utf-8", "replace").strip()
    if message[:1] == b"X":
        return "INFRA_ERROR", fault_of(message)
    if is_killed:
        return "MEMORY_LIMIT", "it was killed for its memory"
    if running.fault:
        return running.fault
    if message[:1] == b"C":
        text = message[1:].partition(zygote.NOT_COMPILED_END)[0]
        return "COMPILE_ERROR", text.decode(errors="replace")
    if not message:
        return "RUNTIME_ERROR", reason or "it ended without any message"
    status, _, is_left = ending_of(message)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU or number == signal.SIGKILL:
            return "TIME_LIMIT", "it used up its processor time"
        name = signal.Signals(number).name if number in list(signal.Signals) else str(number)
        kind = "OUTPUT_LIMIT" if number == signal.SIGXFSZ else "RUNTIME_ERROR"
        return kind, f"ended by {name}"
    if code := os.WEXITSTATUS(status):
        last = errors.rsplit("\n", 1)[-1]
        if last.startswith("MemoryError"):
            return "MEMORY_LIMIT", last
        is_error = "Traceback (most recent call last)" in errors
        return "RUNTIME_ERROR" if is_error else "NONZERO_EXIT", last or f"exit code {code}"
    if is_left:
        return "RUNTIME_ERROR", "it left a process running"
    return ("RUNTIME_ERROR", reason) if reason else ("PASS", "")


def fault_of(message: bytes) -> str:
    """Return the reason in the message of a process whose walls could not be built."""
    return message[1:].partition(zygote.NOT_COMPILED_END)[0].decode(errors="replace")


def ending_of(message: bytes) -> tuple[int, float, bool]:
    """Return wait status, CPU seconds and whether a process was left running."""
    if len(message) < zygote.ENDING.size or message[:1] != b"E":
        return 0, 0.0, False
    _, status, cpu_s, is_left = zygote.ENDING.unpack(message[: zygote.ENDING.size])
    return status, cpu_s, is_left
