"""Fork one warm interpreter behind walls for every program and every judge.

A zygote keeps no state of its children and knows neither code nor tests: a request names a role
and limits, and carries descriptors. Its first frame is `BOOT`, which executes a script as
`__main__`, so that no frame of this package lies above the script on the stack. Started by
`supervisor`.
"""

from __future__ import annotations

import _sitebuiltins
import base64
import builtins
import gc
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import frames, judge, linux, program, served, walls

BOOT = """
import sys
sys.path.append(sys.argv[1])
from sandbox import zygote
script = zygote.main()
try:
    exec(script.code, script.namespace)
except BaseException as error:
    script.fail(error)
script.end()
"""

FLAGS = ("-s", "-S", "-P", "-B", "-X", "utf8")
"""Flags of all interpreters here: no site packages, nothing from the caller's directory."""

ENDING = struct.Struct("!Bid?")
"""The end of a program: b"E", wait status, CPU seconds, whether a process was left running."""
NOT_COMPILED, NOT_COMPILED_END = b"C", b"\0"

_WARM = """
    argparse array bisect calendar cmath collections contextlib copy dataclasses datetime
    decimal enum fractions functools heapq inspect io itertools json math numbers operator os
    queue random re statistics string struct sys textwrap threading time traceback typing types
""".split()
_GRACE_S = 0.1
"""Seconds that the children of a program have to end after the program."""
# Indices into a request's descriptors.
_CONTROL_AT, _CODE_AT, _RPC_AT, _REPORT_AT = 3, 4, 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The walls of a zygote: level, importable packages, compiled filter of system calls."""

    level: str
    packages: tuple[str, ...]
    system_calls: bytes

    @classmethod
    def from_json(cls, text: str) -> Setting:
        fields = json.loads(text)
        return cls(
            level=fields["level"],
            packages=tuple(fields["packages"]),
            system_calls=base64.b64decode(fields["system_calls"]),
        )

    def to_json(self) -> str:
        calls = base64.b64encode(self.system_calls).decode()
        return json.dumps({"level": self.level, "packages": self.packages, "system_calls": calls})


def main() -> program.Script:
    """Serve requests until the supervisor closes its end; return only in a script's process."""
    setting = Setting.from_json(sys.argv[2])
    requests = socket.socket(fileno=int(sys.argv[3]))
    walls.end_with_parent()
    for name in _WARM:
        __import__(name)
    for name in ("exit", "quit"):
        # `site` defines them elsewhere, but it is not loaded here.
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D"))
    try:
        walls.enter(setting.level, setting.packages)
        if setting.level == "namespaces":
            _become_first(requests)
        else:
            linux.adopt_orphans()
    except OSError as error:
        requests.send(json.dumps({"error": str(error)}).encode())
        sys.exit(1)
    sys.path.remove(sys.argv[1])
    if setting.level == "namespaces":
        sys.path.append(walls.PACKAGES)
    else:
        sys.path.extend(sorted({os.path.dirname(path) for path in setting.packages}))
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The kernel reaps the children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests.send(b"{}")
    return _serve(setting, requests)


def _become_first(requests: socket.socket) -> None:
    """Continue as the first process of a new process namespace, which ends with this process."""
    linux.unshare(linux.CLONE_NEWPID)
    child = os.fork()
    if child:
        requests.close()
        os.waitpid(child, 0)
        os._exit(0)
    walls.end_with_parent()


def _serve(setting: Setting, requests: socket.socket) -> program.Script:
    own = os.open("/proc/self/ns/pid", os.O_RDONLY) if setting.level == "namespaces" else None
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1 << 16, 16)
        if not message:
            os._exit(0)
        request = json.loads(message)
        if own is not None:
            linux.unshare(linux.CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            requests.close()
            return _be_first(setting, request, descriptors)
        if own is not None:
            linux.setns(own, linux.CLONE_NEWPID)
        for descriptor in descriptors:
            os.close(descriptor)
        handle = os.pidfd_open(child)
        socket.send_fds(requests, [b"forked"], [handle])
        os.close(handle)


def _be_first(
    setting: Setting, request: Mapping[str, object], descriptors: Sequence[int]
) -> program.Script:
    """Isolate, fork the program, wait, report its end; return only in a script's process."""
    control = descriptors[_CONTROL_AT]
    try:
        walls.end_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        limits = walls.Limits(**request["limits"])  # type: ignore[arg-type]
        if setting.level == "namespaces":
            walls.isolate(limits)
        else:
            linux.adopt_orphans()
            linux.set_dumpable(False)
        child = os.fork()
    except BaseException as error:
        os.write(control, b"X" + str(error).encode()[:500])
        os._exit(1)
    if child:
        _wait(child, control, descriptors, is_alone=setting.level == "namespaces")
    try:
        _offer_to_the_memory_killer()
        _confine(setting, request, limits, descriptors)
    except BaseException as error:
        os.write(_CONTROL_AT, b"X" + str(error).encode()[:500] + NOT_COMPILED_END)
        os._exit(1)
    return _be_program(str(request["role"]))


def _wait(child: int, control: int, descriptors: Sequence[int], *, is_alone: bool) -> None:
    """Wait for the program as the first process of its namespaces, report, and end."""
    for descriptor in descriptors:
        if descriptor != control:
            os.close(descriptor)
    os.closerange(0, 3)
    if not is_alone:
        # Without a namespace, descendants outlive this process: end them here.
        signal.signal(signal.SIGTERM, lambda *_: (_end_the_rest(), os._exit(1)))
    _, status, usage = os.wait4(child, 0)
    is_left = _is_any_left() if is_alone else _end_the_rest()
    cpu_s = usage.ru_utime + usage.ru_stime
    os.write(control, ENDING.pack(b"E"[0], status, cpu_s, is_left))
    os._exit(0)


def _offer_to_the_memory_killer() -> None:
    """Ask the kernel to kill the program first when memory runs out, and not the zygote."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        # This program has no /proc, or the machine has other rules.
        pass


def _is_any_left() -> bool:
    """Reap the children that end within the grace time; say whether any other is alive."""
    until = time.monotonic() + _GRACE_S
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0) or time.monotonic() < until:
            time.sleep(_GRACE_S / 50)
    except ChildProcessError:
        return False
    return True


def _end_the_rest() -> bool:
    """Kill all descendants; say whether there were any."""
    if not _is_any_left():
        return False
    while True:
        with open("/proc/thread-self/children") as file:
            for name in file.read().split():
                os.kill(int(name), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return True


def _confine(
    setting: Setting,
    request: Mapping[str, object],
    limits: walls.Limits,
    descriptors: Sequence[int],
) -> None:
    """Take from this process everything that a program may not have."""
    linux.set_dumpable(True)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    _arrange(descriptors)
    scratch = walls.SCRATCH if setting.level == "namespaces" else str(request["scratch"])
    os.chdir(scratch)
    walls.give_up_rights(limits, setting.system_calls, setting.level, setting.packages, scratch)


def _be_program(role: str) -> program.Script:
    """Become the program: return for a script, serve and end here in the other roles."""
    if role == "script":
        try:
            script = program.read_script(_read(_CODE_AT))
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
            os.write(
                _CONTROL_AT, NOT_COMPILED + text.encode(errors="replace")[:500] + NOT_COMPILED_END
            )
            os._exit(1)
        os.closerange(_CONTROL_AT, 64)
        _renew_streams()
        return script
    os.close(_CONTROL_AT)
    if role == "calls":
        served.serve_calls(_RPC_AT)
    else:
        judge.judge(_RPC_AT, _REPORT_AT, frames.receive(_CODE_AT, frames.MAX_JOB_BYTES))
    os._exit(0)


def _arrange(descriptors: Sequence[int]) -> None:
    """Move the descriptors of a request to 0, 1, 2, ...; close all others."""
    high = [os.dup2(descriptor, 64 + index) for index, descriptor in enumerate(descriptors)]
    os.closerange(0, 64)
    for index, descriptor in enumerate(high):
        os.dup2(descriptor, index)
    os.closerange(len(high), 1 << 20)


def _read(descriptor: int) -> str:
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts).decode("utf-8", "surrogatepass")


def _renew_streams() -> None:
    """Open the standard streams again: the zygote's streams belong to other files."""
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc]
        2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1
    )
