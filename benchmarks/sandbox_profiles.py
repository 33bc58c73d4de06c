"""Imitate the places where GPU jobs run, and run a command there.

Each profile takes rights away from this process, as a container's manager or a distribution does,
and then executes the command. The rights are lost for that process alone. Needs root.

    python -m benchmarks.sandbox_profiles PROFILE COMMAND...
"""

from __future__ import annotations

import os
import resource
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pyseccomp

from reasonrl.verify.sandbox import linux

# The capabilities that Docker leaves to root: chown, dac_override, fowner, fsetid, kill, setgid,
# setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap.
DOCKER_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
USER = 1000
_PR_CAPBSET_DROP = 24
_EPERM, _ENOSYS = 1, 38
_NAMESPACE_CALLS = ("unshare", "setns", "mount", "umount2", "pivot_root", "open_tree", "move_mount",
    "fsopen", "fsmount", "fsconfig", "mount_setattr")  # fmt: skip
_NAMESPACE_FLAGS = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000,
    0x40000000)  # fmt: skip
_NEW_USER = 0x10000000


def nothing() -> None:
    """Leave this machine as it is."""


def no_cgroup() -> None:
    """Make the control groups read-only, as every container does by default."""
    _own_mounts()
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2") or place == "/sys/fs/cgroup":
            _read_only(place)


def container_root() -> None:
    """Keep Docker's capabilities, hide parts of /proc, and make the control groups read-only."""
    no_cgroup()
    for name in ("acpi", "scsi", "timer_list", "latency_stats", "sys"):
        path = Path("/proc", name)
        if path.is_dir():
            linux.mount(str(path), str(path), "", linux.MS_BIND)
            _read_only(str(path))
        elif path.exists():
            linux.mount("/dev/null", str(path), "", linux.MS_BIND)
    _keep_capabilities(DOCKER_CAPABILITIES)


def docker() -> None:
    """Add the filter of Docker's default profile: no namespaces, no mounts."""
    container_root()
    _forbid(_NAMESPACE_CALLS, namespaces_by_clone=True)


def docker_with_apparmor() -> None:
    """Have no filter, but AppArmor's profile of containers, which forbids mounts."""
    container_root()
    _forbid(("mount", "umount2", "pivot_root"))


def unprivileged() -> None:
    """Be a user without rights, as in rootless containers, Apptainer and batch systems."""
    _show_interpreter()
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    linux.set_dumpable(True)
    os.environ["HOME"] = "/tmp"


def no_user_namespaces() -> None:
    """Be such a user where user.max_user_namespaces is 0."""
    _show_interpreter()
    _map_user()
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    linux.drop_privileges()
    os.environ["HOME"] = "/tmp"


def ubuntu() -> None:
    """Be such a user where AppArmor gives user namespaces no rights, as Ubuntu 24.04 does."""
    unprivileged()
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in ("mount", "umount2", "pivot_root"):
        rules.add_rule(pyseccomp.ERRNO(_EPERM), name)
    for flag in _NAMESPACE_FLAGS:
        if flag != _NEW_USER:
            masked = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag)
            rules.add_rule(pyseccomp.ERRNO(_EPERM), "unshare", masked)
    rules.load()


def no_landlock_no_seccomp() -> None:
    """Have neither landlock nor filters of one's own, as in sandboxes that imitate a kernel."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
        rules.add_rule(pyseccomp.ERRNO(_ENOSYS), name)
    rules.add_rule(pyseccomp.ERRNO(_ENOSYS), "seccomp")
    set_filter = pyseccomp.Arg(0, pyseccomp.EQ, 22)
    rules.add_rule(pyseccomp.ERRNO(_ENOSYS), "prctl", set_filter)
    rules.load()


def gvisor() -> None:
    """Have no namespaces either: every such call is unknown."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
        "unshare", "setns", "pivot_root", "seccomp"):  # fmt: skip
        rules.add_rule(pyseccomp.ERRNO(_ENOSYS), name)
    rules.add_rule(pyseccomp.ERRNO(_ENOSYS), "prctl", pyseccomp.Arg(0, pyseccomp.EQ, 22))
    rules.load()


def no_landlock() -> None:
    """Have a kernel without landlock, and Docker's filter."""
    container_root()
    _forbid(("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"), _ENOSYS)
    _forbid(_NAMESPACE_CALLS, namespaces_by_clone=True)


def read_only_root() -> None:
    """Have a root file system that cannot be written, but for a small /tmp."""
    _own_mounts()
    _read_only("/")
    linux.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID, "size=16m,mode=1777")
    os.chdir("/")


def small_shm() -> None:
    """Have a /dev/shm of 64 kB; Docker's has 64 MB."""
    _own_mounts()
    linux.mount("tmpfs", "/dev/shm", "tmpfs", linux.MS_NOSUID, "size=64k,mode=1777")


PROFILES: dict[str, Callable[[], None]] = {
    "this machine": nothing,
    "no writable cgroup": no_cgroup,
    "container, seccomp unconfined": container_root,
    "docker": docker,
    "container, AppArmor's profile": docker_with_apparmor,
    "unprivileged user": unprivileged,
    "no user namespaces": no_user_namespaces,
    "ubuntu 24.04": ubuntu,
    "no landlock, no seccomp": no_landlock_no_seccomp,
    "like gvisor": gvisor,
    "docker, no landlock": no_landlock,
    "read-only root": read_only_root,
    "small /dev/shm": small_shm,
}


def enter(profile: str) -> None:
    """Turn this process into one that runs in such a place."""
    PROFILES[profile]()


def _own_mounts() -> None:
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)


def _read_only(place: str) -> None:
    flags = os.statvfs(place).f_flag & (linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_NOSUID)
    linux.mount("", place, "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | flags)


def _keep_capabilities(kept: Iterable[int]) -> None:
    """Drop all other capabilities from the bounding set, which limits root after the next exec."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        if number not in tuple(kept):
            linux._prctl(_PR_CAPBSET_DROP, number)


def _forbid(
    names: Iterable[str], number: int = _EPERM, *, namespaces_by_clone: bool = False
) -> None:
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in names:
        rules.add_rule(pyseccomp.ERRNO(number), name)
    if namespaces_by_clone:
        rules.add_rule(pyseccomp.ERRNO(_ENOSYS), "clone3")
        for flag in _NAMESPACE_FLAGS:
            masked = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag)
            rules.add_rule(pyseccomp.ERRNO(_EPERM), "clone", masked)
    rules.load()


def _show_interpreter() -> None:
    """Let a user without rights reach the interpreter, where root's own directory hides it."""
    path = Path(os.path.realpath(sys.executable))
    hidden = [part for part in path.parents if not part.stat().st_mode & stat.S_IXOTH]
    if not hidden:
        return
    top = hidden[-1]
    child = top / path.relative_to(top).parts[0]
    _own_mounts()
    source = os.open(child, os.O_PATH)
    linux.mount("tmpfs", str(top), "tmpfs", linux.MS_NOSUID, "size=1m,mode=755")
    child.mkdir()
    linux.mount(f"/proc/self/fd/{source}", str(child), "", linux.MS_BIND | linux.MS_REC)
    os.close(source)


def _map_user() -> None:
    """Enter a user namespace that knows one user, with no privilege outside."""
    waiting, ready = os.pipe()
    target = os.getpid()
    helper = os.fork()
    if helper == 0:
        os.read(waiting, 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{target}/{name}").write_text(f"{USER} {USER} 1")
        os._exit(0)
    linux.unshare(linux.CLONE_NEWUSER)
    os.write(ready, b"!")
    os.waitpid(helper, 0)
    os.setresgid(USER, USER, USER)
    # Keep the right to write the namespace's own settings until they are written.
    linux._prctl(8, 1)
    os.setresuid(USER, USER, USER)
    linux._prctl(8, 0)


def main() -> None:
    """Enter a profile and execute a command."""
    profile, *command = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    enter(profile)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
