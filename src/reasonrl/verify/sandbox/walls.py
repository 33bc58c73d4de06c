"""Build the walls that limit what a program can see of this machine and ask of its kernel.

The zygote calls `enter` once, the first process of each program calls `isolate`, and the program
itself calls `give_up_rights` last. With namespaces a program sees a root directory with the
interpreter and the system's libraries, read-only, an empty /tmp of its own, and no other process,
network or user. Called by `zygote`.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import sys
from dataclasses import dataclass

from . import linux

# Root of the machine becomes this user, nobody.
ROOT_UID = 65534
SCRATCH = "/tmp"
PACKAGES = "/packages"
"""Where programs find packages: the real path may lie below /tmp, which a program cannot see."""

_STACK_BYTES = 16 << 20
_SYSTEM_PATHS = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/alternatives",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
_FRESH = linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS
_KEPT_FLAGS = linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_NOATIME | linux.MS_NODIRATIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one program. `files` bounds open files, `scratch_mb` the size of its /tmp."""

    time_s: float
    memory_mb: int
    address_mb: int
    output_bytes: int = 16 << 20
    processes: int = 64
    files: int = 256
    scratch_mb: int = 64


def enter(level: str, packages: tuple[str, ...]) -> None:
    """Build the walls that all programs of the zygote share. `packages` can be imported.

    Raises OSError where the machine does not allow the level.
    """
    linux.set_thread_stack(_STACK_BYTES)
    if level != "namespaces":
        return
    is_root = os.geteuid() == 0
    if not is_root:
        _enter_user_namespace(os.geteuid(), os.getegid(), linux.CLONE_NEWNS)
    else:
        # Only root may be able to read the interpreter's directory.
        try:
            linux.unshare(linux.CLONE_NEWNS)
        except PermissionError:
            _enter_as_root_of_a_container()
    _build_root(packages)
    if is_root:
        os.setgroups([])
        os.setresgid(ROOT_UID, ROOT_UID, ROOT_UID)
        os.setresuid(ROOT_UID, ROOT_UID, ROOT_UID)
        # Otherwise root owns the files of /proc that map users.
        linux.set_dumpable(True)
        _enter_user_namespace(ROOT_UID, ROOT_UID, linux.CLONE_NEWNS)
    linux.unshare(_FRESH & ~linux.CLONE_NEWNS)


def isolate(limits: Limits) -> None:
    """Give the first process of a program fresh namespaces, an empty /tmp and its own /proc.

    The mounts belong to the zygote's user namespace, so no program may change them.
    """
    linux.unshare(linux.CLONE_NEWNS)
    own = os.open("/proc/self", os.O_PATH)
    size = f"size={limits.scratch_mb}m,nr_inodes=4096"
    plain = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("tmpfs", "/tmp", "tmpfs", plain, size)
    linux.mount("tmpfs", "/dev/shm", "tmpfs", plain, size)
    try:
        options = "hidepid=2,subset=pid"
        linux.mount("proc", "/proc", "proc", plain | linux.MS_NOEXEC, options)
    except OSError:
        # A container that hides parts of /proc forbids a new /proc: show none.
        linux.mount("tmpfs", "/proc", "tmpfs", plain | linux.MS_RDONLY)
    others = _FRESH & ~linux.CLONE_NEWNS
    _enter_user_namespace(os.geteuid(), os.getegid(), others, own=own)
    os.close(own)
    linux.set_dumpable(False)


def give_up_rights(
    limits: Limits, system_calls: bytes, level: str, packages: tuple[str, ...], scratch: str
) -> None:
    """Bind this process to its limits for good, as the last step before untrusted code runs."""
    bounds = {
        resource.RLIMIT_AS: limits.address_mb << 20,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_FSIZE: limits.scratch_mb << 20,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_CPU: int(limits.time_s) + 2,
    }
    if level != "namespaces":
        # Without namespaces this limit counts all processes of the user.
        del bounds[resource.RLIMIT_NPROC]
    for kind, value in bounds.items():
        resource.setrlimit(kind, (value, value))
    linux.drop_privileges()
    if level != "none" and linux.landlock_abi():
        if level == "namespaces":
            # This root directory holds only what programs may read.
            linux.restrict_files(["/"], [scratch, "/dev/null", "/dev/shm"])
        else:
            shown = (*_SYSTEM_PATHS, *_DEVICES, *interpreter_paths(), *packages)
            linux.restrict_files(shown, [scratch, "/dev/null"])
    if system_calls:
        linux.filter_system_calls(system_calls)


def interpreter_paths() -> tuple[str, ...]:
    """Return the directories that the running interpreter needs."""
    executable = os.path.realpath(sys.executable)
    return tuple({sys.base_prefix, sys.base_exec_prefix, os.path.dirname(executable)})


def _enter_user_namespace(uid: int, gid: int, others: int, *, own: int | None = None) -> None:
    """Enter a new user namespace that maps this user to itself, and the namespaces in `others`.

    `own` is this process's directory in /proc, opened before another mount covered it.
    """
    directory = os.open("/proc/self", os.O_PATH) if own is None else own
    linux.unshare(linux.CLONE_NEWUSER | others)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        descriptor = os.open(name, os.O_WRONLY, dir_fd=directory)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    if own is None:
        os.close(directory)


def _enter_as_root_of_a_container() -> None:
    """Enter a user namespace that knows root and nobody, and its mounts.

    Root of a container may change its user but not mount. The system limits the processes of nobody
    but not those of root, so a map of root alone would not do. Only a process outside the new
    namespace may write a map of two users.
    """
    waiting, ready = os.pipe()
    target = os.getpid()
    helper = os.fork()
    if helper == 0:
        try:
            os.close(ready)
            if os.read(waiting, 1):
                for name in ("uid_map", "gid_map"):
                    with open(f"/proc/{target}/{name}", "wb", buffering=0) as file:
                        file.write(f"0 0 1\n{ROOT_UID} {ROOT_UID} 1".encode())
                os._exit(0)
        finally:
            os._exit(1)
    os.close(waiting)
    try:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
        os.write(ready, b"!")
    finally:
        os.close(ready)
        _, status = os.waitpid(helper, 0)
    if status:
        raise PermissionError(errno.EPERM, "root may not map users here")


def _build_root(packages: tuple[str, ...]) -> None:
    """Make a small root directory that holds what programs may see, and move into it."""
    shown = {path: path for path in (*_SYSTEM_PATHS, *sorted(interpreter_paths()), *_DEVICES)}
    shown |= {path: f"{PACKAGES}/{os.path.basename(path)}" for path in packages}
    # Open the paths before the new /tmp covers any of them.
    sources = [(path, target, _open(path)) for path, target in shown.items()]
    linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    new = "/tmp"
    linux.mount("tmpfs", new, "tmpfs", linux.MS_NOSUID, "size=1m,mode=755")
    for path, target, source in sources:
        if source is not None:
            _show(path, source, new + target)
            os.close(source)
    for path in ("/tmp", "/dev/shm", "/proc", "/old"):
        os.makedirs(new + path, exist_ok=True)
    for path, target in _LINKS.items():
        os.symlink(target, new + path)
    linux.mount("/proc", new + "/proc", "", linux.MS_BIND | linux.MS_REC)
    linux.pivot_root(new, new + "/old")
    os.chdir("/")
    linux.unmount("/old")
    os.rmdir("/old")
    _remount_read_only("/")


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None


def _show(path: str, source: int, target: str) -> None:
    """Show a path of this machine under the new root: a directory, a file, a device or a link."""
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    mode = os.fstat(source).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink("", dir_fd=source), target)
        return
    if stat.S_ISDIR(mode):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    linux.mount(f"/proc/self/fd/{source}", target, "", linux.MS_BIND | linux.MS_REC)
    if path not in _DEVICES:
        _remount_read_only(target)


def _remount_read_only(target: str) -> None:
    """Forbid writing. Keeps the flags that the machine has set: they may not be cleared."""
    flags = os.statvfs(target).f_flag & _KEPT_FLAGS
    forbid = linux.MS_RDONLY | linux.MS_NOSUID
    linux.mount("", target, "", linux.MS_REMOUNT | linux.MS_BIND | forbid | flags)


def end_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends: nothing outlives the supervisor."""
    linux.die_with_parent(signal.SIGKILL)
