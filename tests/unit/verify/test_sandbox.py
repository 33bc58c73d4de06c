"""The sandbox as its users meet it: statuses, options, faults, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from reasonrl.cli.app import app
from reasonrl.errors import DataError, VerifierError
from reasonrl.types import Kind, Status, StopReason, Task, Verdict
from reasonrl.verify import CodeOptions, Isolation, Verifier, VerifyItem
from reasonrl.verify.code.source import last_program
from reasonrl.verify.code.tests import read_tests
from reasonrl.verify.sandbox.zygote import Setting
from tests.conftest import run_script
from tests.corpus.programs import mixed

SUM = {"inputs": ["1 2", "3 4", "5 6"], "outputs": ["3", "7", "11"]}
ADD = {"fn_name": "add", "inputs": ["1\n2", "3\n4", "5\n6"], "outputs": ["3", "7", "11"]}
RIGHT = "print(sum(map(int, input().split())))"
HANGS_ON_THREE = "a, b = map(int, input().split())\nwhile a == 3: pass\nprint(a + b)"
LIMITS = {"time_s": 0.5, "memory_mb": 256}


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier() as shared:
        yield shared


def task(tests: object, **limits: object) -> Task:
    given = tests | {"limits": limits} if limits and isinstance(tests, dict) else tests
    return Task(kind=Kind.CODE, answer=json.dumps(given))


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def supervisors(but: Collection[psutil.Process] = ()) -> list[psutil.Process]:
    children = psutil.Process().children()
    running = [child for child in children if "supervisor.main" in " ".join(child.cmdline())]
    return [child for child in running if child not in but]


def test_a_right_program_passes_all_tests(verifier: Verifier) -> None:
    verdict = verifier.verify(task(SUM), fenced(RIGHT))

    assert (verdict.reward, verdict.status) == (1.0, Status.PASS)
    assert verdict.tests == (Status.PASS,) * 3
    assert verdict.cpu_s > 0
    assert verdict.extracted == RIGHT + "\n"


@pytest.mark.parametrize(
    "tests",
    [
        {},
        None,
        [],
        "text",
        {"inputs": [], "outputs": []},
        {"inputs": ["1"], "outputs": []},
        {"inputs": [True], "outputs": ["1"]},
        {"inputs": [{}], "outputs": ["1"]},
        {**SUM, "checker": "any order"},
        {**SUM, "tolerance": 2},
        {"assert_case": ["# nothing"]},
        {"assert_case": ["print(f(1))"]},
        {"fn_name": "f"},
        {"test_code": "  ", "entry_point": "f"},
        {"test_code": "def check(candidate):\n    assert candidate(1) == 1\n"},
        {"test_code": "def check(candidate):\n    pass\n", "entry_point": "f"},
        {"test_code": "def check(candidate:\n", "entry_point": "f"},
        {"import_prefix": "1 / 0", "test_code": "assert f() == 1", "entry_point": "f"},
        {"assert_case": []},
        {"assert_case": ["assert ("]},
        {**SUM, "limits": {"time_s": -1}},
        {**SUM, "limits": {"seconds": 1}},
    ],
)
def test_a_task_without_tests_has_no_reward(verifier: Verifier, tests: object) -> None:
    verdict = verifier.verify(task(tests), fenced("def f(x=1):\n    return x"))

    assert (verdict.reward, verdict.status) == (None, Status.NO_TESTS)
    assert verdict.reason


@pytest.mark.parametrize(
    ("response", "status"),
    [
        ("no code", Status.NO_CODE),
        ("```python\n```", Status.NO_CODE),
        (f"```python\n{RIGHT}", Status.NO_CODE),
        (f"```cpp\n{RIGHT}\n```", Status.NO_CODE),
        (f"<think>\n```python\n{RIGHT}\n```\n</think> done", Status.NO_CODE),
        (f"<think>\n```python\n{RIGHT}\n```", Status.TRUNCATED),
        (f"```PYTHON\n{RIGHT}\n```", Status.PASS),
        (f"```py\n{RIGHT}\n```", Status.PASS),
        (f"```Python3\n{RIGHT}\n```", Status.PASS),
        (f"```\n{RIGHT}\n```", Status.PASS),
        (f"thought</think>\n```python\n{RIGHT}\n```", Status.PASS),
        (f"```python\nprint(1)\n```\n```python\n{RIGHT}\n```", Status.PASS),
        (f"```python\n{RIGHT}\n```\nIt prints\n```\n3\n```", Status.PASS),
        (f"1. So:\n   ```python\n   {RIGHT}\n   ```", Status.PASS),
        (f"```python\r\n{RIGHT}\r\n```", Status.PASS),
    ],
)
def test_the_last_fenced_python_block_is_judged(
    verifier: Verifier, response: str, status: Status
) -> None:
    assert verifier.verify(task(SUM), response).status is status


def test_a_truncated_response_is_not_run(verifier: Verifier) -> None:
    verdict = verifier.verify(task(SUM), fenced(RIGHT), stop_reason=StopReason.LENGTH)

    assert verdict.status is Status.TRUNCATED


def test_a_long_text_is_read_in_linear_time() -> None:
    start = time.process_time()
    last_program("``` `" * 200_000 + "\n```python\n" * 50_000)

    assert time.process_time() - start < 5


def test_limits_are_read_from_the_task() -> None:
    assert read_tests(json.dumps(SUM | {"limits": {"time_s": 3}})).time_s == 3.0
    with pytest.raises(DataError, match="time_s"):
        read_tests(json.dumps(SUM | {"limits": {"time_s": True}}))


def test_by_default_the_first_failure_ends_it() -> None:
    with Verifier() as verifier:
        verdict = verifier.verify(task(SUM, **LIMITS), fenced(HANGS_ON_THREE))

    assert verdict.tests == (Status.PASS, Status.TIME_LIMIT)
    assert verdict.reward == 0.0


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        (SUM, HANGS_ON_THREE),
        (ADD, "def add(a, b):\n    while a == 3: pass\n    return a + b"),
    ],
)
def test_all_tests_can_be_run_and_counted(tests: dict[str, Any], code: str) -> None:
    with Verifier(code=CodeOptions(reward="fraction")) as verifier:
        verdict = verifier.verify(task(tests, **LIMITS), fenced(code))

    assert verdict.tests == (Status.PASS, Status.TIME_LIMIT, Status.PASS)
    assert verdict.reward == pytest.approx(2 / 3)
    assert verdict.status is Status.TIME_LIMIT


def test_the_problem_has_a_deadline_of_its_own() -> None:
    tests = {"inputs": [""] * 20, "outputs": ["x"] * 20}
    with Verifier(code=CodeOptions(stop_early=False, problem_s=1.0)) as verifier:
        verifier.verify(task(SUM), fenced(RIGHT))
        start = time.monotonic()
        verdict = verifier.verify(task(tests, **LIMITS), fenced("while True: pass"))

    assert verdict.reward == 0.0
    assert time.monotonic() - start < 3.0


@pytest.mark.slow
def test_a_killed_supervisor_is_replaced_and_its_job_is_done_again() -> None:
    code = "import time\ntime.sleep(1)\n" + RIGHT
    others = supervisors()
    with Verifier() as verifier:
        verifier.verify(task(SUM), fenced(RIGHT))
        (victim,) = supervisors(but=others)
        threading.Timer(0.5, victim.kill).start()
        verdict = verifier.verify(task(SUM), fenced(code))
        below = victim.pid

    assert verdict.status is Status.PASS
    assert not psutil.pid_exists(below)


@pytest.mark.slow
def test_what_a_killed_supervisor_ran_dies_with_it() -> None:
    marker = f"sleeper-{os.getpid()}"
    code = f"import time\nx = '{marker}'\ntime.sleep(30)"
    others = supervisors()
    with Verifier() as verifier:
        verifier.verify(task(SUM), fenced(RIGHT))
        (victim,) = supervisors(but=others)
        running = threading.Thread(
            target=verifier.verify, args=(task(SUM, time_s=20), fenced(code)), daemon=True
        )
        running.start()
        time.sleep(0.5)
        below = victim.children(recursive=True)
        assert len(below) >= 3
        victim.kill()
        _, alive = psutil.wait_procs(below, timeout=10)
        assert not alive
        while running.is_alive():
            for supervisor in supervisors(but=others):
                supervisor.kill()
            running.join(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["scripts", "calls"])
def test_large_tests_are_run(verifier: Verifier, shape: str) -> None:
    numbers = list(range(1_000_000))
    text = " ".join(map(str, numbers))
    total = str(sum(numbers))
    if shape == "scripts":
        tests: dict[str, Any] = {"inputs": [text] * 5, "outputs": [total] * 5}
        code = RIGHT
    else:
        tests = {"fn_name": "add", "inputs": [json.dumps(numbers)] * 5, "outputs": [total] * 5}
        code = "def add(v): return sum(v)"

    assert verifier.verify(task(tests, time_s=20, memory_mb=1024), fenced(code)).reward == 1.0


def test_no_disk_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with Verifier() as verifier:
        assert verifier.verify(task(SUM), fenced(RIGHT)).status is Status.PASS


def test_a_program_that_fills_its_disk_harms_no_other(verifier: Verifier) -> None:
    fills = "with open('x', 'wb') as f:\n    while True: f.write(b'x' * 10**6)"
    filled = verifier.verify(task(SUM), fenced(fills))
    after = verifier.verify(task(SUM), fenced("open('x', 'w').write('y')\n" + RIGHT))

    assert filled.status is Status.RUNTIME_ERROR
    assert after.status is Status.PASS


def test_two_verifiers_work_at_once() -> None:
    with Verifier(workers=2) as first, Verifier() as second:
        items = [VerifyItem(task=task(ADD), response=fenced(f"add = lambda a, b: a + b + {n}"))
                 for n in (0, 1, 0, 2, 3, 4)]  # fmt: skip
        results: dict[int, list[Verdict]] = {}

        def judge(number: int, own: Verifier) -> None:
            results[number] = own.verify_batch(items)

        threads = [threading.Thread(target=judge, args=pair) for pair in enumerate((first, second))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for verdicts in results.values():
        assert [verdict.reward for verdict in verdicts] == [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]


def test_many_coroutines_ask_at_once(verifier: Verifier) -> None:
    async def ask() -> list[Verdict]:
        calls = [verifier.averify(task(SUM), fenced(RIGHT + f"  # {n}")) for n in range(12)]
        return await asyncio.gather(*calls)

    assert {verdict.status for verdict in asyncio.run(ask())} == {Status.PASS}


def test_the_event_loop_goes_on_while_a_program_hangs(verifier: Verifier) -> None:
    async def gaps() -> float:
        asked = asyncio.create_task(verifier.averify(task(SUM, **LIMITS), fenced("while 1: pass")))
        longest, last = 0.0, time.monotonic()
        while not asked.done():
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    assert asyncio.run(gaps()) < 0.4  # 50 ms on an idle machine: benchmarks/verify_code.py


@pytest.mark.slow
def test_a_ray_actor_can_own_a_verifier(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    script = """
import json
import ray
from reasonrl.types import Kind, Task
from reasonrl.verify import Verifier

@ray.remote
class Judge:
    def __init__(self):
        self.verifier = Verifier()

    def statuses(self, codes):
        tests = {"fn_name": "f", "inputs": ["1"], "outputs": ["2"]}
        task = Task(kind=Kind.CODE, answer=json.dumps(tests))
        fence = "`" * 3
        responses = [f"{fence}python\\n{code}\\n{fence}" for code in codes]
        return [str(self.verifier.verify(task, response).status) for response in responses]

if __name__ == "__main__":
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    judge = Judge.remote()
    print(ray.get(judge.statuses.remote(["f = lambda x: x + 1", "f = lambda x: x"])))
"""
    result = run_script(tmp_path / "script.py", script)

    assert result.stdout == "['PASS', 'WRONG_ANSWER']\n", result.stderr


def test_a_forked_child_has_supervisors_of_its_own(verifier: Verifier) -> None:
    verifier.verify(task(SUM), fenced(RIGHT))
    child = os.fork()
    if child == 0:
        status = verifier.verify(task(SUM), fenced(RIGHT)).status
        verifier.close()
        os._exit(0 if status is Status.PASS else 1)
    _, ended = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(ended) == 0
    assert verifier.verify(task(SUM), fenced(RIGHT)).status is Status.PASS


@pytest.mark.parametrize("level", list(Isolation))
def test_every_level_of_isolation_judges(level: Isolation) -> None:
    leaves = RIGHT + "\nimport os, time\nif os.fork() == 0: time.sleep(60)"
    with Verifier(code=CodeOptions(isolation=level)) as verifier:
        verdicts = [
            verifier.verify(task(SUM, **LIMITS), fenced(code)).status
            for code in (RIGHT, "while True: pass", leaves, "def f(:")
        ]
        called = verifier.verify(task(ADD), fenced("def add(a, b): return a + b")).status

    expected = [Status.PASS, Status.TIME_LIMIT, Status.RUNTIME_ERROR, Status.COMPILE_ERROR]
    assert verdicts == expected
    assert called is Status.PASS


def test_a_machine_without_the_accepted_isolation_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "reasonrl.verify.code.pool.setting_for",
        lambda level: Setting(level=level, packages=("/proc/none\0",), system_calls=b""),
    )
    with (
        Verifier() as verifier,
        pytest.raises(VerifierError, match="reasonrl sandbox check"),
    ):
        verifier.describe_sandbox()


def test_the_command_says_what_isolation_there_is() -> None:
    result = CliRunner().invoke(app, ["sandbox", "check"])

    assert result.exit_code == 0, result.output
    assert "isolation  namespaces" in result.output
    assert "seccomp" in result.output


def test_a_closed_verifier_leaves_no_process() -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with Verifier(workers=2) as verifier:
        verifier.verify_batch(
            [VerifyItem(task=task(SUM), response=fenced(RIGHT + f"  # {n}")) for n in range(4)]
        )
    after = {child.pid for child in psutil.Process().children(recursive=True)}

    assert after <= before


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_ten_thousand_mixed_runs_leave_no_trace() -> None:
    me = psutil.Process()
    programs = mixed(10_000)
    with Verifier(workers=2) as verifier:
        verifier.verify_batch([program.item for program in programs[:200]])
        gc.collect()
        before = _state_of(me)
        rewards = [
            verdict.reward
            for start in range(0, len(programs), 200)
            for verdict in verifier.verify_batch(
                [
                    VerifyItem(task=program.item.task, response=f"{start}\n{program.item.response}")
                    for program in programs[start : start + 200]
                ]
            )
        ]
        gc.collect()
        after = _state_of(me)
    assert rewards == [program.reward for program in programs]
    assert after[0] == before[0], "descriptors, here and in the supervisors"
    assert after[1] == before[1], "processes"
    assert after[2] - before[2] < 20 << 20, "memory"


def _state_of(me: psutil.Process) -> tuple[list[int], int, int]:
    below = me.children(recursive=True)
    assert psutil.STATUS_ZOMBIE not in {process.status() for process in below}
    ours = [me, *supervisors()]
    sizes = sum(process.memory_info().rss for process in ours)
    return [process.num_fds() for process in ours], len(below), sizes
