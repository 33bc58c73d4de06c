"""The number of threads follows the cores that other programs leave."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
import torch

from reasonrl.engines import threads as module
from reasonrl.engines.threads import CpuTimes, Threads, read_times, usable_cores


@pytest.fixture(autouse=True)
def _own_number():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Clock:
    """The clocks of a machine on which this process and others take so many cores."""

    def __init__(self, others=0.0, own=2.0):
        self.others, self.own = others, own
        self.now = CpuTimes(wall_s=0.0, all=0.0, own=0.0)

    def __call__(self):
        now = self.now
        self.now = replace(
            now, wall_s=now.wall_s + 1.0, all=now.all + self.others + self.own,
            own=now.own + self.own,
        )  # fmt: skip
        return self.now


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(module, "_affinity", lambda: {0, 1, 2, 3})
    monkeypatch.setattr(module, "_quota", list)
    monkeypatch.setattr(module, "_LOOK_S", 0.0)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    ("others", "wanted", "cost"), [(0.0, 4, 1.0), (0.3, 4, 1.075), (1.0, 3, 4 / 3), (2.6, 1, 4.0),
                                   (4.0, 1, 5.0), (9.0, 1, 10.0)],
)  # fmt: skip
def test_threads_take_the_cores_that_are_left(others, wanted, cost):
    chosen = Threads(0, read=Clock(others))
    assert chosen.now == torch.get_num_threads() == wanted
    assert chosen.cost == pytest.approx(cost)
    assert bool(chosen.sentence) == (wanted < 4)


@pytest.mark.usefixtures("four_cores")
def test_the_number_follows_what_others_take_between_two_steps():
    clock, said = Clock(), []
    chosen = Threads(0, said.append, clock)
    assert chosen.choose() == 4
    clock.others = 3.0
    assert chosen.choose() == 1
    assert "3.0 of 4 cores" in chosen.sentence
    clock.others = 0.0
    assert chosen.choose() == torch.get_num_threads() == 4
    assert [one.partition(":")[0] for one in said] == [
        "other programs take 3.0 of 4 cores", "the cores are free again",
    ]  # fmt: skip


@pytest.mark.usefixtures("four_cores")
def test_a_given_number_stays():
    chosen = Threads(2, read=Clock(others=4.0))
    assert (chosen.now, chosen.choose(), chosen.sentence) == (2, 2, "")


@pytest.mark.usefixtures("four_cores")
def test_the_cores_that_may_be_used_are_the_least_of_all_bounds(monkeypatch):
    assert usable_cores() == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert usable_cores() == 3
    monkeypatch.setattr(module, "_quota", lambda: [2])
    assert usable_cores() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "nonsense")
    assert usable_cores() == 2


@pytest.mark.parametrize(
    ("name", "text", "cores"),
    [("cpu.max", "150000 100000", [2]), ("cpu.max", "max 100000", []),
     ("cpu.max", "50000 100000", [1]), ("cpu/cpu.cfs_quota_us", "300000", [3]),
     ("cpu/cpu.cfs_quota_us", "-1", []), ("nothing", "", [])],
)  # fmt: skip
def test_the_quota_of_a_control_group_is_read(tmp_path, name, text, cores):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / name).write_text(text + "\n")
    assert module._quota(tmp_path) == cores


def test_the_clocks_count_a_busy_child_as_this_process_and_never_more_than_all():
    before = read_times()
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        while psutil.Process(child.pid).cpu_times().user < 0.3:
            pass
        after = read_times()
    finally:
        child.kill()
        child.wait()
    assert after.own - before.own >= 0.3
    assert after.all - before.all >= 0.3
    assert after.wall_s > before.wall_s
    assert os.cpu_count()
