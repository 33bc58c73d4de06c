"""Ten ways in which a reward function goes wrong, and more: masked or refused, and nothing lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from reasonrl.errors import ConfigError, VerifierError
from reasonrl.reward.pool import FunctionPool, FunctionSpec
from tests.unit.reward.support import record

GOOD = "def f(r):\n    return r.tokens / 2\n"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[object]:
    pools = []

    def start(code: str, name: str = "f", **settings: object) -> FunctionPool:
        path = tmp_path / "rewards.py"
        path.write_text(code)
        settings = {"deadline_s": 20.0, "log": str(tmp_path / "log.txt"), **settings}
        pool = FunctionPool(FunctionSpec(name="own", function=f"{path}:{name}", **settings))
        pools.append(pool)
        pool.start()
        return pool

    yield start
    for pool in pools:
        pool.close()


def values(pool: FunctionPool, n: int = 5) -> list[float | None]:
    return [score.value for (score,) in pool.run([[record(tokens=i)] for i in range(n)])]


def notes(pool: FunctionPool, n: int = 5, **settings: float) -> list[str]:
    calls = [[record(tokens=i)] for i in range(n)]
    return [score.note for (score,) in pool.run(calls, **settings)]


@pytest.mark.parametrize("workers", [1, 3])
def test_values_come_in_order(opened, workers: int) -> None:
    assert values(opened(GOOD, workers=workers), 100) == [n / 2 for n in range(100)]


def test_a_number_may_have_a_note(opened) -> None:
    pool = opened("def f(r):\n    return 1, f'has {r.tokens}'\n")
    assert notes(pool, 2) == ["has 0", "has 1"]


def test_an_async_function_answers_side_by_side(opened) -> None:
    pool = opened(
        "import asyncio\nasync def f(r):\n    await asyncio.sleep(0.2)\n    return r.tokens\n"
    )
    start = time.monotonic()
    assert values(pool, 40) == list(range(40))
    assert time.monotonic() - start < 5  # one after another they would take 8 s


def test_a_batch_function_gets_the_rollouts_of_a_problem(opened) -> None:
    pool = opened("def f(rs):\n    return [r.tokens - rs[0].tokens for r in rs]\n", batch=True)
    groups = [[record(tokens=3), record(tokens=5)], [record(tokens=9)]]
    assert [[s.value for s in group] for group in pool.run(groups)] == [[0, 2], [0]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('level')", "KeyError: 'level' (rewards.py:4)"),
        ("return 1 / 0", "ZeroDivisionError: division by zero (rewards.py:4)"),
        ("return float('nan')", "it returned nan; return a finite number or None"),
        ("return '0.5'", "it returned str '0.5'; return a number, (number, note) or None"),
        ("return [1.0]", "it returned list [1.0]; return a number"),
        ("return None", "it returned None"),
        ("return None, 'no level'", "no level"),
        ("return {}", "it returned dict {}"),
        ("exit(3)", "it called exit(3)"),
        ("os._exit(0)", "it ended its worker process"),
        ("os.kill(os.getpid(), 9)", "it ended its worker process"),
        ("r.tokens = 0", "FrozenInstanceError: cannot assign to field 'tokens' (rewards.py:4)"),
        ("r.problem.extra['x'] = 1", "TypeError: 'mappingproxy' object does not support item"),
        ("return f(r)", "RecursionError"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_fo"),
    ],
)
def test_a_call_that_goes_wrong_is_masked_and_nothing_else(opened, body: str, said: str) -> None:
    pool = opened(f"import os\ndef f(r):\n    if r.tokens == 2:\n        {body}\n    return 1.0\n")
    scores = [score for (score,) in pool.run([[record(tokens=i)] for i in range(5)])]
    assert [score.value for score in scores] == [1.0, 1.0, None, 1.0, 1.0]
    assert said in scores[2].note
    assert values(pool) == [1.0, 1.0, None, 1.0, 1.0]


@pytest.mark.parametrize(
    "hang",
    ["while True: pass", "time.sleep(60)", "re.match(r'(a+)+$', 'a' * 60 + 'b')"],
)
def test_a_call_that_hangs_is_killed_and_the_rest_goes_on(opened, hang: str) -> None:
    pool = opened(
        f"import re, time\ndef f(r):\n    if r.tokens == 1:\n        {hang}\n    return 1.0\n",
        deadline_s=0.5,
    )
    assert values(pool) == [1.0, None, 1.0, 1.0, 1.0]
    assert notes(pool)[1] == "no result within 0.5 s"


def test_an_async_call_that_hangs_is_masked_alone(opened) -> None:
    code = "import asyncio\nasync def f(r):\n    await asyncio.sleep(60 * (r.tokens == 1))\n"
    pool = opened(f"{code}    return 1.0\n", deadline_s=0.5)
    assert values(pool) == [1.0, None, 1.0, 1.0, 1.0]


def test_children_of_a_function_neither_answer_nor_outlive_it(opened) -> None:
    pool = opened(
        "import os, time\ndef f(r):\n    if r.tokens == 1:\n        if os.fork() == 0:\n"
        "            time.sleep(0.05)\n            return 7.0\n    return 1.0\n"
    )
    assert values(pool) == [1.0] * 5
    time.sleep(0.2)
    assert values(pool) == [1.0] * 5
    sleeper = opened(
        "import subprocess\ndef f(r):\n    subprocess.Popen(['sleep', '600'])\n    return 1.0\n"
    )
    values(sleeper, 1)
    ours = {child.pid for child in psutil.Process().children(recursive=True)}
    sleeper.close()
    time.sleep(0.1)
    assert not [pid for pid in ours if _runs(pid) and psutil.Process(pid).name() == "sleep"]


def test_a_million_printed_lines_neither_mix_with_answers_nor_fill_the_disk(
    opened, tmp_path: Path
) -> None:
    pool = opened(
        "import os, sys\ndef f(r):\n"
        "    for _ in range(200_000): print('x' * 30)\n"
        "    os.write(1, b'{}\\n'); os.write(2, b'{}\\n'); sys.__stdout__.write('{}\\n')\n"
        "    return 1.0\n"
    )
    assert values(pool, 5) == [1.0] * 5
    assert 1_000_000 < (tmp_path / "log.txt").stat().st_size < 1_100_000


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("[1.0]", "it returned 1 values for 2 rollouts; return one for each"),
        ("1.0", "it returned float 1.0; return a list of 2 numbers"),
        ("'ab'", "it returned str 'ab'; return a list of 2 numbers"),
        ("[1.0, 'b']", "it returned str 'b'; return a number"),
    ],
)
def test_a_batch_of_another_size_masks_the_problem(opened, result: str, said: str) -> None:
    pool = opened(f"def f(rs):\n    return {result}\n", batch=True)
    ((one, two),) = pool.run([[record(), record()]])
    assert (one.value, two.value) == (None, None)
    assert said in one.note


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        ("import nowhere_at_all\n", "No module named 'nowhere_at_all' (rewards.py:1)", "install"),
        ("def f(:\n", "SyntaxError", "rewards.py:1"),
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero (rewards.py:1)", "mend the file"),
        ("def g(r):\n    return 1\n", "has no function 'f'", "use one of g"),
        ("f = 3\n", "3 is not a function", "name a function"),
        ("def f():\n    return 1\n", "cannot be called with one argument", "take one record"),
        ("def f(a, b):\n    return 1\n", "cannot be called with one argument", "one record"),
        ("import os\nos._exit(1)\n", "does not start: its process ended", "by hand"),
        ("exit()\n", "SystemExit", "mend the file"),
    ],
)
def test_a_function_of_no_use_is_refused_at_the_start(
    opened, code: str, said: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(code)
    assert said in str(caught.value)
    assert remedy in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    spec = FunctionSpec(name="own", function=f"{tmp_path}/no.py:f")
    with FunctionPool(spec) as pool, pytest.raises(ConfigError, match="no such file"):
        pool.start()


def test_a_function_of_an_installed_package(tmp_path: Path) -> None:
    spec = FunctionSpec(name="own", function="math:isnan")
    with FunctionPool(spec) as pool:
        pool.start()
        assert pool.files == ()
    with (
        FunctionPool(FunctionSpec(name="own", function="mathh:f")) as pool,
        pytest.raises(ConfigError, match="No module named 'mathh'"),
    ):
        pool.start()


def test_modules_beside_the_function_are_named(opened, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("LIMIT = 3\n")
    pool = opened("from helper import LIMIT\ndef f(r):\n    return LIMIT\n")
    assert values(pool, 1) == [3.0]
    assert [Path(file).name for file in pool.files] == ["rewards.py", "helper.py"]


def test_an_import_inside_a_function_counts_and_strangers_do_not(opened, tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("import deeper\n")
    (tmp_path / "deeper.py").write_text("")
    (tmp_path / "stranger.py").write_text("")
    pool = opened("import json\ndef f(r):\n    from late import deeper\n    return 1.0\n")
    assert [Path(file).name for file in pool.files] == ["rewards.py", "late.py", "deeper.py"]


def test_of_async_calls_only_the_one_that_ends_its_worker_is_masked(opened) -> None:
    pool = opened(
        "import asyncio, os\nasync def f(r):\n    await asyncio.sleep(0.01)\n"
        "    if r.tokens == 7: os._exit(0)\n    return 1.0\n"
    )
    assert values(pool, 12) == [None if n == 7 else 1.0 for n in range(12)]


def test_a_function_that_needs_more_than_its_copies_is_refused_at_the_start(
    opened, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("3")
    pool = opened(
        "from pathlib import Path\nN = float((Path(__file__).parent / 'words.txt').read_text())\n"
        "def f(r):\n    return N\n"
    )
    assert values(pool, 1) == [3.0]
    (tmp_path / "code").mkdir()
    copy = tmp_path / "code" / "rewards.py"
    copy.write_text((tmp_path / "rewards.py").read_text())
    with pytest.raises(ConfigError, match="a data file needs an absolute path"):
        pool.use_file(copy)


def test_a_function_that_always_hangs_is_given_up_early(opened) -> None:
    pool = opened("import time\ndef f(r):\n    time.sleep(60)\n", deadline_s=0.2)
    start = time.monotonic()
    said = notes(pool, 100, max_failed_share=0.05)
    assert time.monotonic() - start < 30
    assert sum(note.startswith("not run: 6 calls") for note in said) == 94


def test_the_first_traceback_is_kept(opened) -> None:
    pool = opened("def g(r):\n    return r.nothing\ndef f(r):\n    return g(r)\n")
    assert values(pool, 3) == [None] * 3
    assert 'rewards.py", line 2, in g' in pool.first_trace


def test_workers_end_with_the_pool_and_with_their_parent(opened, tmp_path: Path) -> None:
    pool = opened(GOOD, workers=2)
    values(pool, 50)
    mine = psutil.Process().children(recursive=True)
    pool.close()
    assert not [child for child in mine if child.is_running() and "worker" in _command(child)]
    with pytest.raises(VerifierError, match="are closed"):
        values(pool)
    script = tmp_path / "parent.py"
    script.write_text(
        "import os\nfrom reasonrl.reward.pool import FunctionPool, FunctionSpec\n"
        f"spec = FunctionSpec(name='f', function='{tmp_path / 'rewards.py'}:f')\n"
        "pool = FunctionPool(spec)\n"
        "pool.start()\nprint(pool._idle[0].process.pid, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 20
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_the_record_is_the_same_in_the_worker(opened) -> None:
    pool = opened(
        "def f(r):\n    v = r.verdict\n"
        "    return 1.0, repr((r.problem.extra['a'], r.prompt[0].role, r.is_right, v.status.value, "
        "r.stop, r.max_new_tokens))\n"
    )
    ((score,),) = pool.run([[record("x", right=True, a=[1, {"b": None}])]])
    assert score.note == "([1, {'b': None}], 'user', True, 'CORRECT', 'stop', 100)"
