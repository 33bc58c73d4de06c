"""The verifier as its callers use it: threads, event loops, batches, failures, imports."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from reasonrl.errors import VerifierError
from reasonrl.types import FAILED_STATUSES, Kind, Status, StopReason, Task, Verdict
from reasonrl.verify import Verifier, VerifyItem, verify, verify_batch
from tests.conftest import run_script

ROOT = Task(kind=Kind.MATH, answer=r"\sqrt{2}")
ALGEBRA = r"\boxed{2^{1/2} + 0\hbar}"  # what `verify.math` cannot read goes to a worker
_NEW = itertools.count(2)


def algebra() -> str:
    """Return a question for a worker that no worker has answered before."""
    return rf"\boxed{{2^{{1/2}} + {next(_NEW)}\hbar \cdot 0}}"


def slow(base: int = 2) -> str:
    """Return a response that takes a worker most of a second."""
    return r"\boxed{" + "(" * 11 + rf"{base}^{{1/2}} + {next(_NEW)}\hbar \cdot 0" + ")" * 11 + "}"


def slow_key() -> Task:
    """Return a task whose key, and not the answer, takes a worker most of a second."""
    return math(slow(3).removeprefix(r"\boxed{").removesuffix("}"))


def math(gold: str) -> Task:
    return Task(kind=Kind.MATH, answer=gold)


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.ppid() != os.getpid()]


def test_a_bomb_costs_nothing_off_the_main_thread(verifier: Verifier) -> None:
    verdicts: list[Verdict] = []
    bombs = [r"\boxed{9^{9^{9}}}", r"\boxed{100000!}"]
    thread = threading.Thread(
        target=lambda: verdicts.extend(verifier.verify(ROOT, bomb) for bomb in bombs)
    )

    thread.start()
    thread.join(timeout=60)

    assert [verdict.status for verdict in verdicts] == [Status.TOO_LARGE] * 2


def test_algebra_works_off_the_main_thread(verifier: Verifier) -> None:
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.append(verifier.verify(ROOT, algebra())))

    thread.start()
    thread.join(timeout=60)

    assert [verdict.status for verdict in verdicts] == [Status.CORRECT]


def test_a_batch_keeps_its_order_and_its_bad_items_to_themselves(verifier: Verifier) -> None:
    items = [
        VerifyItem(task=math("7"), response=r"\boxed{7}"),
        VerifyItem(task=ROOT, response=r"\boxed{9^{9^{9}}}"),
        VerifyItem(task=ROOT, response=ALGEBRA),
        VerifyItem(task=math(r"\frac{1}{"), response=r"\boxed{\frac{2}{3}}"),
        VerifyItem(task=ROOT, response=ALGEBRA),
        VerifyItem(task=math("7"), response="7", stop_reason=StopReason.LENGTH),
        VerifyItem(task=ROOT, response=ALGEBRA.replace("2^", "3^")),
    ]

    statuses = [verdict.status for verdict in verifier.verify_batch(items)]

    assert statuses == [
        Status.CORRECT,
        Status.TOO_LARGE,
        Status.CORRECT,
        Status.GOLD_UNPARSABLE,
        Status.CORRECT,
        Status.TRUNCATED,
        Status.WRONG,
    ]


def test_an_empty_batch_has_no_verdicts(verifier: Verifier) -> None:
    assert verifier.verify_batch([]) == []


def test_an_asyncio_caller_is_not_blocked(verifier: Verifier) -> None:
    async def count_ticks() -> tuple[int, Verdict]:
        judging = asyncio.create_task(verifier.averify(ROOT, slow()))
        ticks = 0
        while not judging.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks, await judging

    ticks, verdict = asyncio.run(count_ticks())

    assert verdict.status is Status.CORRECT
    assert ticks >= 3


def test_a_deadline_that_passes_gives_no_reward(verifier: Verifier) -> None:
    verdict = verifier.verify(slow_key(), r"\boxed{5}", deadline_s=0.01)

    assert (verdict.status, verdict.reward) == (Status.TIMEOUT, None)
    assert verifier.verify(ROOT, algebra()).status is Status.CORRECT


def test_a_worker_killed_from_outside_never_becomes_a_reward(verifier: Verifier) -> None:
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.append(verifier.verify(ROOT, slow())))
    thread.start()
    time.sleep(0.2)
    for worker in workers():
        worker.kill()
    thread.join(timeout=120)

    (verdict,) = verdicts
    assert (verdict.status, verdict.reward) in [
        (Status.CORRECT, 1.0),  # run again
        (Status.INFRA_ERROR, None),
    ]
    assert verifier.verify(ROOT, algebra()).status is Status.CORRECT


def test_an_idle_worker_killed_from_outside_is_replaced(verifier: Verifier) -> None:
    verifier.verify(ROOT, algebra())
    for worker in workers():
        worker.kill()

    assert verifier.verify(ROOT, algebra()).status is Status.CORRECT


def test_what_a_worker_found_is_remembered_but_no_failure(verifier: Verifier) -> None:
    question, hopeless = algebra(), slow_key()
    five = r"\boxed{5}"

    first = [verifier.verify(ROOT, question), verifier.verify(hopeless, five, deadline_s=0.01)]
    again = [verifier.verify(ROOT, question), verifier.verify(hopeless, five)]

    assert [verdict.status for verdict in first] == [Status.CORRECT, Status.TIMEOUT]
    assert [verdict.status for verdict in again] == [Status.CORRECT, Status.WRONG]
    assert first[0].cpu_s > again[0].cpu_s == 0.0


def test_many_threads_get_each_their_own_verdicts(verifier: Verifier) -> None:
    def judge(number: int) -> list[Status]:
        answers = [rf"\boxed{{{number}}}", r"\boxed{9^{9^{9}}}", rf"\boxed{{\sqrt{{{number**2}}}}}"]
        return [verifier.verify(math(str(number)), answer).status for answer in answers]

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(judge, range(200)))

    assert statuses == [[Status.CORRECT, Status.TOO_LARGE, Status.CORRECT]] * 200


def test_an_event_loop_keeps_its_beat_under_bombs(verifier: Verifier) -> None:
    bombs = ["x^{x^{x^{x}}}", r"\binom{20000}{10000}", "1+" * 1990 + "1", r"\sin " * 900 + "x"]

    async def judge_all() -> tuple[int, list[Verdict]]:
        judging = asyncio.gather(
            *(verifier.averify(math("5"), rf"\boxed{{{bomb}}}") for bomb in bombs * 4)
        )
        beats = 0
        while not judging.done():
            await asyncio.sleep(0.001)
            beats += 1
        return beats, await judging

    beats, verdicts = asyncio.run(judge_all())

    assert beats >= 3
    assert all(verdict.reward == 0.0 for verdict in verdicts)


@pytest.mark.slow
def test_a_ray_actor_verifies(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    script = r"""
import ray
from reasonrl.types import Kind, Task
from reasonrl.verify import Verifier

@ray.remote
class Judge:
    def __init__(self):
        self.verifier = Verifier(deadline_s=60.0)

    def rewards(self, answers):
        task = Task(kind=Kind.MATH, answer="\\sqrt{2}")
        return [self.verifier.verify(task, f"\\boxed{{{answer}}}").reward for answer in answers]

if __name__ == "__main__":
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    judge = Judge.remote()
    print(ray.get(judge.rewards.remote(["2^{1/2}", "2^{1/2} + 0\\hbar", "9^{9^{9}}"])))
"""
    result = run_script(tmp_path / "script.py", script)

    assert result.stdout == "[1.0, 1.0, 0.0]\n", result.stderr


def test_a_failure_never_becomes_a_reward(verifier: Verifier) -> None:
    failed = [
        verifier.verify(math(""), r"\boxed{5}"),
        verifier.verify(math(r"\frac{1}{"), r"\boxed{\frac{2}{3}}"),
        verifier.verify(slow_key(), r"\boxed{5}", deadline_s=0.01),
    ]

    assert {verdict.status for verdict in failed} <= FAILED_STATUSES
    assert [verdict.reward for verdict in failed] == [None] * 3


def test_a_closed_verifier_says_so() -> None:
    closed = Verifier()
    closed.close()
    closed.close()

    with pytest.raises(VerifierError, match="closed"):
        closed.verify(ROOT, ALGEBRA)


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(VerifierError, match="workers = 0"):
        Verifier(workers=0)


def test_the_module_functions_judge_plain_numbers_without_a_worker() -> None:
    item = VerifyItem(task=math("7"), response=r"\boxed{7}")

    assert verify(item.task, item.response).reward == 1.0
    assert [verdict.reward for verdict in verify_batch([item])] == [1.0]


def test_importing_and_judging_a_number_loads_neither_sympy_nor_torch(tmp_path: Path) -> None:
    script = """
import sys
from reasonrl.types import Kind, Task
from reasonrl.verify import verify
assert verify(Task(kind=Kind.MATH, answer="1/2"), r"\\boxed{0.5}").reward == 1.0
print(sorted({"sympy", "math_verify", "torch"} & set(sys.modules)))
"""
    result = run_script(tmp_path / "script.py", script)

    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_a_forked_child_and_its_parent_both_verify(tmp_path: Path) -> None:
    script = """
import os
from reasonrl.types import Kind, Task
from reasonrl.verify import verify

def judge(number):  # a new question each time: the findings of workers are kept
    answer = rf"\\boxed{{2^{{1/2}} + {number}\\hbar \\cdot 0}}"
    return verify(Task(kind=Kind.MATH, answer=r"\\sqrt{2}"), answer).reward

if __name__ == "__main__":
    before = judge(2)
    if (child := os.fork()) == 0:
        os._exit(0 if judge(3) == 1.0 else 1)
    print(before, os.waitpid(child, 0)[1], judge(4))
"""
    result = run_script(tmp_path / "script.py", script)

    assert result.stdout == "1.0 0 1.0\n", result.stderr


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    script = """
from reasonrl.types import Kind, Task
from reasonrl.verify import verify
verify(Task(kind=Kind.MATH, answer=r"\\sqrt{2}"), r"\\boxed{2^{1/2} + 0\\hbar}")
"""
    result = run_script(tmp_path / "script.py", script)

    assert result.returncode != 0
    assert "guard the main script" in result.stderr


@pytest.mark.parametrize("unboxed", [False, True])
@pytest.mark.parametrize("stop", [None, StopReason.LENGTH])
@pytest.mark.parametrize("response", ["The answer is 72.", "", r"\boxed{}", r"\boxed{72"])
def test_an_unreadable_key_is_never_a_reason_for_reward_0(
    unboxed: bool, stop: StopReason | None, response: str
) -> None:
    solution = math("She sold 48 / 2 = <<48/2=24>>24 clips in May.\n#### 72")
    readable = math(r"\int_0^x e^{t^2} dt")
    with Verifier(unboxed=unboxed) as verifier:
        masked = verifier.verify(solution, response, stop_reason=stop)
        judged = verifier.verify(readable, response, stop_reason=stop)
    assert (masked.status, masked.reward) == (Status.GOLD_UNPARSABLE, None)
    assert judged.reward == 0.0
