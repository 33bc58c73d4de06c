"""The Linux system calls for which Python 3.11 has no function, and nothing else.

Every function raises OSError with the kernel's reason. The numbers come from the kernel's headers.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MS_NOATIME, MS_NODIRATIME = 1024, 2048
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522

_SYS = {"x86_64": {"pivot_root": 155, "capset": 126}, "aarch64": {"pivot_root": 41, "capset": 91}}
_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_FS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Number of access rights of files by landlock version; later versions have as many as 5."""
# Rights: execute, read file, read directory.
_LANDLOCK_READ = 0b1101
# Rights: execute, write, read, truncate, ioctl.
_LANDLOCK_FILE_BITS = 0b1_0100_0000_0000_0111
# Abstract sockets and signals, from ABI 6 on.
_LANDLOCK_SCOPES = 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Move this process to new namespaces; CLONE_NEWPID moves its next child instead."""
    _check(_libc.unshare(flags))


def setns(descriptor: int, kind: int) -> None:
    """Join the namespace that a descriptor of /proc/*/ns refers to."""
    _check(_libc.setns(descriptor, kind))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system or a path at `target`; see the manual page of mount for the flags."""
    texts = [text.encode() or None for text in (source, target, kind)]
    _check(_libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None))


def unmount(target: str) -> None:
    """Detach the file system that is mounted at a path."""
    _check(_libc.umount2(target.encode(), MNT_DETACH))


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; the old root appears at `old`."""
    _check(_libc.syscall(_SYS[os.uname().machine]["pivot_root"], new.encode(), old.encode()))


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_dumpable(value: bool) -> None:
    """Allow or forbid other processes of this user to trace this one and read its /proc files."""
    _prctl(_PR_SET_DUMPABLE, int(value))


def drop_privileges() -> None:
    """Give up all capabilities and the ability to gain any by executing a file."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    try:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError:
        # This kernel has no ambient capabilities.
        pass
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.syscall(_SYS[os.uname().machine]["capset"], header, b"\0" * 24))


def filter_system_calls(program: bytes) -> None:
    """Install a compiled seccomp filter; no_new_privs must be set."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header)


def landlock_abi() -> int:
    """Return the version of landlock in this kernel; 0 without it."""
    return max(0, int(_libc.syscall(_SYS_LANDLOCK_CREATE, None, 0, 1)))


def restrict_files(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Confine this process to files below the given paths, for good; no_new_privs must be set."""
    abi = landlock_abi()
    every = (1 << _LANDLOCK_FS_BY_ABI.get(abi, 16)) - 1
    sizes = struct.pack("QQQ", every, 0b11 if abi >= 4 else 0, _LANDLOCK_SCOPES if abi >= 6 else 0)
    n_bytes = 24 if abi >= 6 else 16 if abi >= 4 else 8
    rules = _check(_libc.syscall(_SYS_LANDLOCK_CREATE, sizes[:n_bytes], n_bytes, 0))
    try:
        for path in readable:
            _allow(rules, path, _LANDLOCK_READ & every)
        for path in writable:
            _allow(rules, path, every)
        _check(_libc.syscall(_SYS_LANDLOCK_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def set_thread_stack(n_bytes: int) -> None:
    """Set the default stack size of threads, which else equals the main thread's."""
    attributes = ctypes.create_string_buffer(64)
    if hasattr(_libc, "pthread_setattr_default_np"):  # glibc
        _libc.pthread_attr_init(attributes)
        _libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(n_bytes))
        _libc.pthread_setattr_default_np(attributes)


def return_memory() -> None:
    """Return freed memory to the system, where the C library would keep it."""
    if hasattr(_libc, "malloc_trim"):  # glibc
        _libc.malloc_trim(0)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        below = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _LANDLOCK_FILE_BITS
        rule = struct.pack("=Qi", rights, below)
        _check(_libc.syscall(_SYS_LANDLOCK_ADD, rules, 1, rule, 0))
    finally:
        os.close(below)


def _prctl(option: int, *arguments: object) -> None:
    values = [
        value if isinstance(value, bytes) else ctypes.c_ulong(int(str(value)))
        for value in arguments
    ]
    _check(_libc.prctl(option, *values, *[ctypes.c_ulong(0)] * (4 - len(values))))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
