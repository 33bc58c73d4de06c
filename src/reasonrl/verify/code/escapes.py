"""Try to escape from the sandbox of this machine, one attempt for each wall.

Each attempt is a small program that runs as any program of a model does. It prints whether it came
through, and what it would leave outside is looked for outside. The files, the process and the port
that the attempts aim at are made for them. Called by `check`.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reasonrl.verify.code.isolation import Isolation
from reasonrl.verify.code.pool import Supervisor, SupervisorDied
from reasonrl.verify.sandbox.job import ProgramJob

_KEPT_IN, _ESCAPED = "kept in", "escaped"
_START = """
import ctypes, os, signal, socket, time
libc = ctypes.CDLL(None, use_errno=True)
came_through = False
"""
_END = f"""
print("{_ESCAPED}" if came_through else "{_KEPT_IN}")
"""
# The attempt asks for 512 MB.
_MEMORY_MB = 128

ATTEMPTS = {
    "read a file outside": """
try:
    came_through = open(SECRET).read() == TOKEN
except OSError:
    pass
""",
    "write a file outside": """
for place in (FOLDER, "/var/tmp", "/usr"):
    try:
        open(f"{place}/{TOKEN}", "w").close()
        came_through = True
        os.unlink(f"{place}/{TOKEN}")
    except OSError:
        pass
""",
    "follow links outside": """
for make in (os.symlink, os.link):
    try:
        make(SECRET, make.__name__)
        came_through |= open(make.__name__).read() == TOKEN
    except OSError:
        pass
""",
    "mount": """
libc.unshare(0x10000000 | 0x00020000)
came_through = libc.mount(b"tmpfs", os.getcwd().encode(), b"tmpfs", 0, None) == 0
""",
    "connect to the loopback": """
try:
    socket.create_connection(("127.0.0.1", PORT), 2).close()
    came_through = True
except OSError:
    pass
""",
    "kill another process": """
try:
    os.kill(VICTIM, signal.SIGKILL)
except OSError:
    pass
""",
    "trace the parent": """
for pid in (os.getppid(), VICTIM):
    if libc.ptrace(0x4206, pid, None, None) == 0:
        came_through = True
""",
    "read /proc of another process": """
for name in ("environ", "cmdline"):
    try:
        came_through |= TOKEN in open(f"/proc/{VICTIM}/{name}").read()
    except OSError:
        pass
""",
    "leave a process behind": """
if os.fork() == 0:
    os.setsid()
    libc.prctl(15, TOKEN[:12].encode())
    time.sleep(60)
    os._exit(0)
time.sleep(0.1)
""",
    "fork without bound": """
children = []
try:
    while len(children) < 300:
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        children.append(child)
    came_through = True
except OSError:
    pass
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
""",
    "exceed the memory limit": """
block = bytearray(512 << 20)
block[::4096] = b"x" * len(block[::4096])
time.sleep(0.5)
came_through = True
""",
}
"""The attempts by name. FOLDER, SECRET, TOKEN, PORT and VICTIM are set before them."""


_ENDS = {
    "leave a process behind": ("RUNTIME_ERROR",),
    # Without a limit on processes, those of a fork bomb share the memory of one program.
    "fork without bound": ("PASS", "MEMORY_LIMIT"),
    "exceed the memory limit": ("MEMORY_LIMIT", "RUNTIME_ERROR"),
}
"""How an attempt ends in a sandbox, if not by saying that it was kept in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to escape. `fault` says why it could not be made."""

    name: str
    is_kept_in: bool
    fault: str = ""


def try_escapes(level: Isolation) -> tuple[Attempt, ...]:
    """Make every attempt in a sandbox of this level, and return how each ended."""
    attempts = []
    for name, text in ATTEMPTS.items():
        with _targets() as targets:
            supervisor = Supervisor(level)
            try:
                attempts.append(_try(name, text, targets, supervisor))
            finally:
                supervisor.close()
    return tuple(attempts)


def _try(name: str, text: str, targets: Mapping[str, str | int], supervisor: Supervisor) -> Attempt:
    heads = "".join(f"{key} = {value!r}\n" for key, value in targets.items())
    job: ProgramJob = {
        "code": _START + heads + text + _END,
        "kind": "scripts",
        "tests": [{"input": "", "output": _KEPT_IN}],
        "entry_point": "",
        "prefix": "",
        "setup": "",
        "tolerance": None,
        "stop_early": True,
        "limits": {
            "time_s": 3.0,
            "memory_mb": _MEMORY_MB,
            "output_bytes": 1 << 12,
            "total_s": 10.0,
        },
    }
    try:
        report = supervisor.ask(job)
    except SupervisorDied as error:
        return Attempt(name=name, is_kept_in=False, fault=f"the supervisor died: {error}")
    if report["fault"]:
        return Attempt(name=name, is_kept_in=False, fault=report["fault"])
    status, reason, _, _ = report["tests"][0]
    came_through = status == "WRONG_ANSWER" and _ESCAPED in reason
    if not came_through and status not in _ENDS.get(name, ("PASS",)):
        return Attempt(name=name, is_kept_in=False, fault=f"not tried: {status}, {reason}")
    return Attempt(name=name, is_kept_in=not came_through and not _traces(targets))


def _traces(targets: Mapping[str, str | int]) -> bool:
    """Return whether an attempt left something outside: a file, a dead victim, a process."""
    token, victim = str(targets["TOKEN"]), int(targets["VICTIM"])
    names = [_first_line(path / "comm") for path in Path("/proc").iterdir()]
    is_dead = " Z" in _first_line(Path(f"/proc/{victim}/stat")).rpartition(")")[2][:3]
    return Path(str(targets["FOLDER"]), token).exists() or is_dead or token[:12] in names


def _first_line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


@contextmanager
def _targets() -> Iterator[Mapping[str, str | int]]:
    """Yield what an attempt aims at: a file, a folder, a process, a port, and a secret word."""
    token = secrets.token_hex(8)
    with (
        tempfile.TemporaryDirectory(prefix="reasonrl-check-") as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        Path(folder).chmod(0o777)
        secret = Path(folder, "secret")
        secret.write_text(token, encoding="ascii")
        victim = subprocess.Popen(
            [sys.executable, "-S", "-c", "import sys; sys.stdin.read()", token],
            stdin=subprocess.PIPE, env={"TOKEN": token},
        )  # fmt: skip
        try:
            yield {
                "FOLDER": folder, "SECRET": str(secret), "TOKEN": token,
                "PORT": server.getsockname()[1], "VICTIM": victim.pid,
            }  # fmt: skip
        finally:
            victim.kill()
            victim.communicate()
