"""One process in a directory, a way to stop it, and its signs of life."""

import json
import os
import signal
import threading

import pytest

from reasonrl.errors import ConfigError
from reasonrl.run.heartbeat import Heartbeat
from reasonrl.run.process import note_event, only_process, stop_on_signal
from reasonrl.terminal import Console


def test_a_second_process_is_refused_until_the_first_has_left(tmp_path):
    with (
        only_process(tmp_path),
        pytest.raises(ConfigError, match="another process works"),
        only_process(tmp_path),
    ):
        raise AssertionError("two processes are in the directory")
    with only_process(tmp_path):
        pass


def test_the_first_signal_asks_and_the_second_stops(capsys):
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signal(Console()) as stopper:
        assert not stopper.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stopper.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert "press Ctrl-C again" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before


def test_events_are_printed_and_kept(tmp_path, capsys):
    note_event(tmp_path, Console(), "replica-1 was replaced")
    note_event(tmp_path, Console(), "replica-2 was replaced")
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["replica-1 was replaced", "replica-2 was replaced"]
    assert "replica-2 was replaced" in capsys.readouterr().out


def test_a_heartbeat_tells_of_the_processes_and_of_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("reasonrl.run.heartbeat.BEAT_S", 0.01)
    path = tmp_path / "heartbeat.json"
    told = threading.Event()

    def describe():
        told.set()
        return [{"name": "rank-0"}]

    with Heartbeat(tmp_path) as heartbeat:
        heartbeat.describe = describe
        for _ in range(2):  # the second call comes after the first beat was written
            told.clear()
            assert told.wait(timeout=30)
        beat = json.loads(path.read_text())
        assert (beat["pid"], beat["ended"]) == (os.getpid(), False)
        assert beat["processes"] == [{"name": "rank-0"}]
    assert json.loads(path.read_text())["ended"] is True


def test_a_full_disk_does_not_end_a_heartbeat(tmp_path):
    with Heartbeat(tmp_path / "not there"):
        pass
