"""Describe the isolation that this machine allows, and compile the filter of system calls.

Called by `pool` before the first supervisor starts, and by `reasonrl sandbox check`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from reasonrl.verify.sandbox import linux
from reasonrl.verify.sandbox.zygote import Setting


class Isolation(StrEnum):
    """The strength of a sandbox, strongest first; docs/verifiers.md says what each level stops."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    NONE = "none"


PACKAGES = ("numpy", "sortedcontainers")
"""Packages that programs may import if they are installed here, beside the standard library."""

_FORBIDDEN = """
    acct add_key adjtimex bpf chroot clock_adjtime clock_settime create_module delete_module
    fanotify_init finit_module fsconfig fsmount fsopen fspick get_kernel_syms init_module
    io_cancel io_destroy io_getevents io_setup io_submit io_uring_enter io_uring_register
    io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl landlock_create_ruleset
    lookup_dcookie memfd_create memfd_secret mount mount_setattr move_mount mq_open msgget
    name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open personality
    pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace
    query_module quotactl reboot request_key semget setdomainname sethostname setns settimeofday
    shmget swapoff swapon sysfs syslog umount umount2 unshare uselib userfaultfd ustat vhangup
    vm86 vm86old vmsplice
""".split()
_NAMESPACE_FLAGS = 0x7E020080  # every CLONE_NEW* flag
_AF_UNIX = 1
_EPERM, _ENOSYS = 1, 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The strongest level that works on this machine, None for none, and a remark on each part."""

    level: Isolation | None
    parts: Mapping[str, str]


@cache
def packages() -> tuple[str, ...]:
    """Return the paths of the importable packages and of the libraries beside them."""
    paths: list[str] = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            path = Path(spec.origin).parent.resolve()
            libraries = path.parent / f"{name}.libs"
            paths += [str(part) for part in (path, libraries) if part.exists()]
    return tuple(paths)


@cache
def system_call_filter() -> bytes:
    """Return the compiled filter; it is empty where libseccomp is missing."""
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError):
        return b""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in _FORBIDDEN:
        try:
            rules.add_rule(pyseccomp.ERRNO(_EPERM), name)
        except (ValueError, RuntimeError, OSError):
            # This architecture does not have the call.
            continue
    # A filter cannot read the flags of clone3. With ENOSYS, C libraries fall back to clone.
    rules.add_rule(pyseccomp.ERRNO(_ENOSYS), "clone3")
    for bit in range(32):
        if (flag := 1 << bit) & _NAMESPACE_FLAGS:
            masked = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag)
            rules.add_rule(pyseccomp.ERRNO(_EPERM), "clone", masked)
    for name in ("socket", "socketpair"):
        other = pyseccomp.Arg(0, pyseccomp.NE, _AF_UNIX)
        rules.add_rule(pyseccomp.ERRNO(_EPERM), name, other)
    # A file in memory: a sandbox must not depend on a writable disk.
    with os.fdopen(os.memfd_create("filter"), "wb+") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def setting_for(level: Isolation) -> Setting:
    """Return the setting of a supervisor's walls."""
    return Setting(level=level.value, packages=packages(), system_calls=system_call_filter())


def missing_wall(level: Isolation) -> str:
    """Return the wall that a level cannot do without and that this machine lacks; empty if none.

    Without namespaces only landlock keeps files, and only the filter keeps the network.
    """
    if level is not Isolation.LANDLOCK:
        return ""
    if not linux.landlock_abi():
        return "this kernel has no landlock"
    return "" if system_call_filter() else "libseccomp is missing"


def describe_parts() -> Mapping[str, str]:
    """Return a remark on each part of the isolation: whether this machine has it."""
    is_linux = sys.platform == "linux"
    abi = linux.landlock_abi() if is_linux else 0
    return {
        "system": f"{sysconfig.get_platform()}, Python {sys.version.split()[0]}",
        "user": "root, in namespaces nobody" if os.geteuid() == 0 else "unprivileged",
        "seccomp": f"{len(system_call_filter()) // 8} instructions"
        if system_call_filter()
        else "missing: install libseccomp",
        "landlock": f"ABI {abi}" if abi else "missing",
    }
