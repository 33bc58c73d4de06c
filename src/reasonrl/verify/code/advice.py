"""Say why a machine gives no namespaces, and name the one setting to change first.

Asks the kernel in a process of its own, and reads the settings that are known to forbid it. Called
by `check`, and by `pool` when a sandbox does not start.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reasonrl.verify import sandbox
from reasonrl.verify.sandbox.zygote import FLAGS

_PROBE = """
import json, os, sys
sys.path.append(sys.argv[1])
from sandbox import linux

def attempt(*steps):
    read, write = os.pipe()
    if os.fork() == 0:
        number = 0
        try:
            for step in steps:
                step()
        except OSError as error:
            number = error.errno
        os.write(write, bytes([number]))
        os._exit(0)
    os.wait()
    return os.read(read, 1)[0]

user = lambda: linux.unshare(linux.CLONE_NEWUSER)
both = lambda: linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
private = lambda: linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
tmpfs = lambda: linux.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID)
print(json.dumps([attempt(user), attempt(both), attempt(both, private, tmpfs)]))
"""
_NO_CALL = (errno.ENOSYS, errno.EINVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Why a machine gives no full isolation, and the one setting to change first."""

    message: str
    setting: str


def advise(reason: str) -> Advice:
    """Return the advice for a machine whose sandbox of namespaces failed for this reason."""
    if sys.platform != "linux":
        return Advice(message="this is not Linux", setting="judge programs on a Linux machine")
    if _setting("user/max_user_namespaces") == "0":
        return Advice(
            message="user namespaces are switched off",
            setting="sysctl user.max_user_namespaces=15000",
        )
    if _setting("kernel/unprivileged_userns_clone") == "0" and os.geteuid() != 0:
        return Advice(
            message="user namespaces are kept for root",
            setting="sysctl kernel.unprivileged_userns_clone=1",
        )
    user, both, mount = _ask_kernel()
    if user in _NO_CALL:
        return Advice(
            message="this kernel has no user namespaces (gVisor and the like)",
            setting=_by_container("--runtime=runc", "runtimeClassName: runc"),
        )
    if user:
        return _without_users(user)
    if both:
        return Advice(
            message="user namespaces come without rights: AppArmor takes them (Ubuntu 24.04)",
            setting="sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        )
    if mount:
        return Advice(
            message="mounts are forbidden in user namespaces: AppArmor's profile of containers",
            setting=_by_container(
                "--security-opt apparmor=unconfined",
                "securityContext.appArmorProfile.type: Unconfined",
            ),
        )
    if any(os.strerror(number) in reason for number in _NO_CALL):
        return Advice(
            message=f"namespaces can be made, but this kernel lacks another wall: {reason}",
            setting=_by_container("--runtime=runc", "runtimeClassName: runc"),
        )
    return Advice(
        message=f"namespaces can be made, but {reason}",
        setting="none is known: please report the lines of `reasonrl sandbox check`",
    )


def _without_users(number: int) -> Advice:
    if number == errno.ENOSPC:
        return Advice(
            message="the limit of user namespaces is reached",
            setting="sysctl user.max_user_namespaces=15000",
        )
    if _field("Seccomp") == "2":
        return Advice(
            message="a filter of system calls forbids user namespaces, as Docker's default does",
            setting=_by_container(
                "--security-opt seccomp=unconfined",
                "securityContext.seccompProfile.type: Unconfined",
            ),
        )
    return Advice(
        message=f"user namespaces are forbidden: {os.strerror(number)}",
        setting="start the job outside a chroot, and allow user namespaces to its user",
    )


def _by_container(docker: str, kubernetes: str) -> str:
    """Return the setting as the container's manager spells it."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return f"in the pod's specification: {kubernetes}"
    return f"docker run {docker}"


def _ask_kernel() -> tuple[int, int, int]:
    """Return the error numbers of a user namespace, one with mounts, and a mount in it."""
    package = str(Path(sandbox.__file__).parent.parent)
    done = subprocess.run(
        [os.path.realpath(sys.executable), *FLAGS, "-c", _PROBE, package],
        capture_output=True, text=True, check=False, timeout=10,
    )  # fmt: skip
    try:
        user, both, mount = json.loads(done.stdout)
    except ValueError:
        return errno.ENOSYS, errno.ENOSYS, errno.ENOSYS
    return int(user), int(both), int(mount)


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""


def _field(name: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((line.split()[1] for line in lines if line.startswith(f"{name}:")), "")
