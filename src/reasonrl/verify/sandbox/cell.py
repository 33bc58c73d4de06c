"""Start programs behind walls and end them: the supervisor's side of a zygote."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from shutil import rmtree

from . import cgroup, processes, walls, zygote


class CellError(Exception):
    """A cell cannot be built, or has died."""


@dataclass(slots=True)
class Running:
    """A running program: its first process, its output so far and the message about its end.

    `handle` is a pidfd of `pid`. `ending` comes from `control`; `zygote.ENDING` describes it.
    `fault` is a status with a reason if the supervisor ends the program.
    """

    handle: int
    control: int
    started: float
    ending: bytes = b""
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    fault: tuple[str, str] | None = None
    pid: int = -1


class Cell:
    """A zygote of its own, in which programs are started."""

    def __init__(self, setting: zygote.Setting) -> None:
        self._is_strong = setting.level == "namespaces"
        # The first processes of running programs.
        self._firsts: set[int] = set()
        self.group = cgroup.make_group()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests = ours
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *zygote.FLAGS,
                    "-c",
                    zygote.BOOT,
                    sys.argv[1],
                    setting.to_json(),
                    str(theirs.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={
                    "PATH": "/usr/bin:/bin",
                    "HOME": walls.SCRATCH,
                    "LANG": "C.UTF-8",
                    "PYTHONHASHSEED": "0",
                    "OPENBLAS_NUM_THREADS": "1",
                    "OMP_NUM_THREADS": "1",
                },
                cwd="/",
            )
        if self.group is not None:
            self.group.add(self._process.pid)
        try:
            answer = self._requests.recv(1 << 16)
        except OSError as error:
            raise CellError(str(error)) from error
        if not answer or b"error" in answer:
            self.close()
            raise CellError(json.loads(answer or "{}").get("error", "the zygote does not start"))

    def close(self) -> None:
        self._requests.close()
        self._firsts.clear()
        self._end_strays()
        self._process.kill()
        self._process.wait()
        self._end_strays()
        if self.group is not None:
            self.group.remove()

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """Yield a program's scratch directory: its own /tmp, or a new directory of this machine."""
        if self._is_strong:
            yield walls.SCRATCH
            return
        path = tempfile.mkdtemp(prefix="reasonrl-scratch-")
        try:
            yield path
        finally:
            rmtree(path, ignore_errors=True)

    def start(
        self, role: str, limits: walls.Limits, descriptors: Sequence[int], scratch: str
    ) -> Running:
        """Start a program. `descriptors`: stdin, stdout, stderr, code, then those of the role."""
        control_in, control_out = os.pipe()
        request = {"role": role, "limits": asdict(limits), "scratch": scratch}
        try:
            passed = [*descriptors[:3], control_out, *descriptors[3:]]
            socket.send_fds(self._requests, [json.dumps(request).encode()], passed)
            answer, handles, _, _ = socket.recv_fds(self._requests, 64, 1)
        except OSError as error:
            os.close(control_in)
            raise CellError(f"the zygote is gone: {error}") from error
        finally:
            os.close(control_out)
        if not answer or not handles:
            os.close(control_in)
            raise CellError("the zygote is gone")
        pid = processes.pid_of(handles[0])
        self._firsts.add(pid)
        return Running(handle=handles[0], pid=pid, control=control_in, started=time.monotonic())

    def end(self, running: Running) -> None:
        """Kill a program and its descendants, wait until they are gone, close the descriptors."""
        number = signal.SIGKILL if self._is_strong else signal.SIGTERM
        try:
            signal.pidfd_send_signal(running.handle, number)
        except ProcessLookupError:
            pass
        if not select.select([running.handle], [], [], 5.0)[0]:
            signal.pidfd_send_signal(running.handle, signal.SIGKILL)
        self._firsts.discard(running.pid)
        self._end_strays()
        if not running.ending:
            os.set_blocking(running.control, False)
            try:
                running.ending = os.read(running.control, 1_024)
            except BlockingIOError:
                pass
        os.close(running.handle)
        os.close(running.control)

    def _end_strays(self) -> None:
        """End what a program left where there is no namespace that ends with it.

        A first process ends all below it, unless it or the zygote was itself killed for its memory.
        """
        if not self._is_strong:
            processes.end_strays(self._process.pid, self._firsts)
            processes.end_strays(os.getpid(), (self._process.pid,))
