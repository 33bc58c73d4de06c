"""A memory group writes and reads the files of its version, here in a plain directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonrl.verify.sandbox.cgroup import MemoryGroup


@pytest.mark.parametrize(
    ("is_v2", "name"), [(True, "memory.max"), (False, "memory.limit_in_bytes")]
)
def test_the_limit_leaves_room_for_the_processes_of_the_cell(
    tmp_path: Path, is_v2: bool, name: str
) -> None:
    MemoryGroup(tmp_path, is_v2=is_v2).limit(256)

    assert int((tmp_path / name).read_text()) == (256 + 64) * 1_048_576


def test_an_unchanged_limit_is_not_written_again(tmp_path: Path) -> None:
    group = MemoryGroup(tmp_path, is_v2=True)
    group.limit(256)
    (tmp_path / "memory.max").unlink()

    group.limit(256)
    assert not (tmp_path / "memory.max").exists()
    group.limit(257)
    assert (tmp_path / "memory.max").exists()


@pytest.mark.parametrize(
    ("is_v2", "name", "text"),
    [
        (True, "memory.events", "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\n"),
        (False, "memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n"),
    ],
)
def test_only_kills_are_counted(tmp_path: Path, is_v2: bool, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert MemoryGroup(tmp_path, is_v2=is_v2).kills() == 3


def test_a_process_joins_by_its_number(tmp_path: Path) -> None:
    MemoryGroup(tmp_path, is_v2=True).add(4711)

    assert (tmp_path / "cgroup.procs").read_text() == "4711"


def test_a_group_that_still_holds_processes_is_left_for_later(tmp_path: Path) -> None:
    (tmp_path / "still-busy").write_text("")

    MemoryGroup(tmp_path, is_v2=True).remove()

    assert tmp_path.exists()
