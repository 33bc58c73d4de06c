"""`reasonrl` in imitated places without a sandbox: what is refused, and what to change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from reasonrl.cli.endings import ExitCode
from tests.e2e.support import COMMAND, REPOSITORY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to imitate other machines")

SETTINGS = {
    "docker": "--security-opt seccomp=unconfined",
    "container, AppArmor's profile": "--security-opt apparmor=unconfined",
    "no user namespaces": "sysctl user.max_user_namespaces=15000",
    "ubuntu 24.04": "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    "no landlock, no seccomp": "--runtime=runc",
}


def run_in(profile: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    command = [sys.executable, "-m", "benchmarks.sandbox_profiles", profile, *COMMAND]
    done = subprocess.run(
        [*command, *map(str, arguments)], env={**os.environ, "PYTHONPATH": paths}, cwd=REPOSITORY,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if "PermissionError" in done.stderr and "sandbox_profiles" in done.stderr:
        pytest.skip("this machine does not let the place be imitated")
    return done


def test_training_on_programs_ends_at_once_and_names_the_setting(tmp_path):
    start = time.monotonic()
    done = run_in("docker", "train", "code", "--run-dir", tmp_path / "run")

    assert time.monotonic() - start < 15
    assert done.returncode == ExitCode.MENDABLE
    assert SETTINGS["docker"] in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("profile", SETTINGS)
def test_a_weaker_place_is_told_the_one_setting_to_change(profile):
    done = run_in(profile, "sandbox", "check", "--json")

    found = json.loads(done.stdout)
    assert SETTINGS[profile] in found["setting"]
    assert found["full"] is False
    is_weaker = found["isolation"] == "landlock"
    assert done.returncode == (ExitCode.NO if is_weaker else ExitCode.MENDABLE)
    assert set(found["attempts"].values()) <= {"kept in"}


@pytest.mark.parametrize(
    "profile", ["container, seccomp unconfined", "unprivileged user", "no writable cgroup",
                "read-only root", "small /dev/shm"],
)  # fmt: skip
def test_namespaces_need_neither_root_nor_groups_nor_a_disk(profile):
    if profile == "read-only root" and REPOSITORY.is_relative_to("/tmp"):
        pytest.skip("the profile hides /tmp, which holds this checkout")
    done = run_in(profile, "sandbox", "check", "--json")

    found = json.loads(done.stdout)
    assert (done.returncode, found["isolation"], found["full"]) == (0, "namespaces", True)


def test_limits_alone_are_no_sandbox():
    done = run_in("docker, no landlock", "sandbox", "check")

    assert done.returncode == ExitCode.MENDABLE
    assert "ESCAPED    read a file outside" in done.stdout
    assert "programs are refused" in done.stdout
