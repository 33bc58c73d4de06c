"""What a person sees where there is no terminal: lines that can be searched."""

import pytest

from reasonrl import terminal
from reasonrl.terminal import Console, silent


def test_a_step_is_one_line_and_a_missing_metric_a_dash(capsys):
    Console().step({"step": 12, "stage": "short", "accuracy/all": 0.41234}, total=30)
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("step=12/30 stage=short acc=0.412 fin=- ")


def test_data_cannot_control_the_terminal(capsys):
    Console().note("a\x1b[31mb\x07[bold]c\nd")
    assert capsys.readouterr().out == "a\ufffd[31mb\ufffd[bold]c\nd\n"


def test_a_long_phase_prints_a_line_every_half_minute(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
    with Console().phase("verify", 100) as progress:
        for now in (10.0, 31.0, 40.0, 62.0):  # noqa: B007  (the clock reads it)
            progress(5)
    assert capsys.readouterr().out.splitlines() == ["verify 10/100", "verify 20/100"]


def test_a_silent_phase_prints_nothing(capsys):
    with silent("verify", 3) as progress:
        progress(3)
    assert capsys.readouterr().out == ""


def test_a_phase_passes_errors_on():
    with pytest.raises(ValueError, match="mine"), silent("verify", 3):
        raise ValueError("mine")
