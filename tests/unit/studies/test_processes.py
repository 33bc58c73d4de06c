import time
from dataclasses import replace
from pathlib import Path

from reasonrl.studies.processes import ChildTask, work_off


def note(path: Path, word: str, seconds: float = 0.0) -> None:
    time.sleep(seconds)
    with path.open("a") as notes:
        notes.write(word + "\n")


def task(tmp_path, name, *, after=(), seconds=0.0):
    return ChildTask(
        name=name,
        function=note,
        given=(tmp_path / "notes", name, seconds),
        log=tmp_path / f"{name}.log",
        after=frozenset(after),
    )


def done(tmp_path, tasks, workers):
    assert work_off(tasks, workers=workers, may_begin=lambda: True, on_end=lambda end: None)
    return (tmp_path / "notes").read_text().split()


def test_a_task_waits_for_the_tasks_before_it_and_lets_others_pass(tmp_path):
    held = task(tmp_path, "held", after=["slow"])
    tasks = [task(tmp_path, "slow", seconds=1.0), held, task(tmp_path, "free")]
    assert done(tmp_path, tasks, workers=2) == ["free", "slow", "held"]


def test_a_single_worker_does_the_tasks_in_order(tmp_path):
    tasks = [task(tmp_path, "b"), task(tmp_path, "a", after=["b"]), task(tmp_path, "c")]
    assert done(tmp_path, tasks, workers=1) == ["b", "a", "c"]


def fail(path: Path) -> None:
    raise OSError("no space left")


def test_what_comes_after_a_failed_task_is_not_begun(tmp_path):
    ended = []
    failing = replace(task(tmp_path, "bad"), function=fail, given=(tmp_path,))
    tasks = [failing, task(tmp_path, "held", after=["bad"]), task(tmp_path, "free")]
    assert work_off(tasks, workers=1, may_begin=lambda: True, on_end=ended.append)
    assert [(end.task.name, end.error) for end in ended] == [
        ("bad", "OSError: no space left"),
        ("free", ""),
    ]
