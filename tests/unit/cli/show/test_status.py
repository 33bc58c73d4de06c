"""The state of a run, as a terminal shows it."""

from dataclasses import replace

from reasonrl.cli.show.status import show_status
from reasonrl.run.status import Process, RunStatus
from reasonrl.terminal import Console

STATUS = RunStatus(
    name="mine",
    phase="running",
    where="host, process 7",
    step=12,
    total=40,
    stage="long",
    step_s=75.0,
    left_s=2_100.0,
    since_step_s=3.0,
    checkpoint="step-10",
    processes=(),
    events=(),
    troubles=[],
    findings=(),
)


def said(capsys, **changes):
    show_status(Console(), replace(STATUS, **changes))
    return capsys.readouterr().out


def test_a_running_run_tells_where_it_is_and_when_it_ends(capsys):
    assert said(capsys).splitlines() == [
        "mine: running (host, process 7), step 12/40, stage long, checkpoint step-10",
        "a step takes 1 min 15 s, 35 min 0 s left at this pace",
    ]


def test_a_finished_run_has_no_place_and_nothing_left(capsys):
    lines = said(capsys, phase="finished", left_s=None).splitlines()
    assert lines[0].startswith("mine: finished, step")
    assert lines[1] == "a step takes 1 min 15 s"


def test_a_run_without_steps_tells_no_pace(capsys):
    assert len(said(capsys, step_s=None, left_s=None).splitlines()) == 1


def test_processes_are_shown_with_the_age_and_the_end_of_their_logs(capsys):
    learner = Process(
        name="learner-0", facts={"version": 3}, log_age_s=4.04, last_line="x" * 50 + "y" * 50
    )
    idle = Process(name="sampler-0", facts={}, log_age_s=None, last_line="")
    lines = said(capsys, processes=(learner, idle)).splitlines()
    assert lines[3].split() == ["learner-0", "version=3", "4.0", "s", "ago", "x" * 50 + "y" * 10]
    assert lines[4].split() == ["sampler-0", "-", "-"]


def test_the_last_events_and_all_warnings_are_shown(capsys):
    events = [f"event {number}" for number in range(9)]
    lines = said(capsys, events=events, troubles=[], findings=("slow", "late")).splitlines()
    assert lines[2:7] == events[-5:]
    assert lines[7:] == ["warning: slow", "warning: late"]
