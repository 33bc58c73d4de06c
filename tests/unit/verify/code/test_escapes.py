"""The attempts to escape: each comes through without a sandbox, and none at full isolation."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from reasonrl.verify.code import escapes
from reasonrl.verify.code.escapes import ATTEMPTS, try_escapes
from reasonrl.verify.code.isolation import Isolation

# Some need rights that the tests may not have; plain Python has no limits to exceed.
_NEED_ROOT = {"mount", "trace the parent"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ATTEMPTS.keys() - _NEED_ROOT))
def test_an_attempt_comes_through_without_a_sandbox(tmp_path: Path, name: str) -> None:
    with escapes._targets() as targets:
        heads = "".join(f"{key} = {value!r}\n" for key, value in targets.items())
        script = tmp_path / "attempt.py"
        script.write_text(escapes._START + heads + ATTEMPTS[name] + escapes._END, encoding="utf-8")

        with (tmp_path / "output").open("w+", encoding="utf-8") as output:
            subprocess.run(
                [sys.executable, script], stdout=output, cwd=tmp_path, timeout=20, check=True,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            output.seek(0)
            text = output.read()
        time.sleep(0.1)
        came_through = "escaped" in text or escapes._traces(targets)
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == str(targets["TOKEN"])[:12]:
                process.kill()

    assert came_through


def test_no_attempt_comes_through_at_full_isolation() -> None:
    attempts = try_escapes(Isolation.NAMESPACES)

    assert [attempt.name for attempt in attempts] == list(ATTEMPTS)
    assert [attempt for attempt in attempts if not attempt.is_kept_in] == []


@pytest.mark.slow
@pytest.mark.parametrize("level", [Isolation.LANDLOCK, Isolation.NONE])
def test_a_fork_bomb_leaves_no_process_at_a_weaker_level(level: Isolation) -> None:
    before = {process.pid for process in psutil.process_iter()}

    try_escapes(level)

    time.sleep(0.5)
    ours = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if process.pid not in before
        and "zygote.main" in " ".join(process.info["cmdline"] or [])
        and process.ppid() == 1
    ]
    assert ours == []
