"""The run over rows: what becomes of each, what is kept, and what the next call asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.gpu.check import check, chosen
from reasonrl.gpu.row import RowState
from reasonrl.gpu.sight import Sight
from tests.unit.gpu.support import a_row, answering, asked, asking

HANG = "import time; print('waiting for the card', flush=True); time.sleep(600)"


def has_ended(pid: int) -> bool:
    """Whether a process does nothing any more; in a container nobody may collect it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def verdicts(report) -> dict[str, str]:
    return {row.name: row.verdict for row in report.rows}


def test_each_row_answers_in_a_file_of_its_own_and_all_of_them_in_one(tmp_path):
    rows = [a_row("one"), a_row("two")]
    report, is_stopped = check(rows, asking(tmp_path, {}))
    assert not is_stopped
    assert report.is_good
    assert verdicts(report) == {"one": "within its bound", "two": "within its bound"}
    whole = json.loads((tmp_path / "check.json").read_text())
    for number, row in enumerate(rows):
        assert json.loads((tmp_path / f"{row.name}.json").read_text()) == whole["rows"][number]


def test_a_number_without_a_bound_is_measured_and_a_bad_one_is_out_of_bound(tmp_path):
    programs = {
        "free": answering(tmp_path, "free", 5.0, None),
        "bad": answering(tmp_path, "bad", 5.0, 2.0),
        "nan": answering(tmp_path, "nan", float("nan"), 2.0),
    }
    report, _ = check([a_row("free"), a_row("bad"), a_row("nan")], asking(tmp_path, programs))
    assert verdicts(report) == {"free": "measured", "bad": "OUT OF BOUND", "nan": "OUT OF BOUND"}
    assert not report.is_good
    again, _ = check([a_row("free"), a_row("bad"), a_row("nan")], asking(tmp_path, programs))
    assert verdicts(again) == verdicts(report)


def test_a_row_that_crashes_is_an_answer_and_the_next_row_is_asked(tmp_path):
    programs = {
        "raises": "raise RuntimeError('CUDA out of memory')",
        "dies": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "silent": "pass",
    }
    rows = [a_row("raises"), a_row("dies"), a_row("silent"), a_row("last")]
    report, _ = check(rows, asking(tmp_path, programs))
    assert [row.state for row in report.rows] == [RowState.FAILED] * 3 + [RowState.ANSWERED]
    said = verdicts(report)
    assert said["raises"] == "failed: RuntimeError: CUDA out of memory"
    assert said["dies"] == "failed: its process was killed by SIGSEGV"
    assert "without an answer" in said["silent"]
    assert report.rows[0].log[-1] == "RuntimeError: CUDA out of memory"
    assert not report.is_good


@pytest.mark.parametrize("kept_environment", [True, False])
def test_a_row_that_hangs_is_ended_with_all_that_it_started(kept_environment, tmp_path):
    """Also a process that has lost its parent, has a session of its own, and maybe no mark."""
    pid, script = tmp_path / "pid", tmp_path / "hang.py"
    orphan = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    script.write_text(
        "import os, subprocess, sys, time\n"
        "if not os.fork():\n    os.setsid()\n"
        f"    given = None if {kept_environment} else {{}}\n"
        f"    subprocess.Popen([sys.executable, '-c', {orphan!r}], env=given)\n"
        "    time.sleep(2)\n    os._exit(0)\n"
        "os.wait()\nprint('waiting', flush=True)\ntime.sleep(600)\n"
    )
    programs = {"hangs": f"exec(open({str(script)!r}).read())"}
    report, _ = check([a_row("hangs", limit_s=4.0), a_row("last")], asking(tmp_path, programs))
    assert verdicts(report)["hangs"].startswith("failed: no answer within 4")
    assert report.rows[0].log == ("waiting",)
    assert verdicts(report)["last"] == "within its bound"
    assert has_ended(int(pid.read_text()))


def test_a_second_call_keeps_answers_and_asks_the_failed_rows_again(tmp_path):
    rows = [a_row("good"), a_row("bad"), a_row("fails")]
    programs = {"bad": answering(tmp_path, "bad", 5.0), "fails": "raise RuntimeError"}
    check(rows, asking(tmp_path, programs))
    report, _ = check(rows, asking(tmp_path, {}))
    assert asked(tmp_path) == ["good", "bad", "fails"]  # the first time it failed without a word
    assert verdicts(report)["bad"] == "OUT OF BOUND"
    assert verdicts(report)["fails"] == "within its bound"


def test_only_asks_the_named_rows_in_any_case_and_no_other(tmp_path):
    rows = [a_row("one"), a_row("two"), a_row("three")]
    check(rows[:2], asking(tmp_path, {}))
    report, _ = check(rows, asking(tmp_path, {}), only=["two"])
    assert asked(tmp_path) == ["one", "two", "two"]
    assert verdicts(report)["three"] == "not asked: --only named other rows"


def test_the_budget_leaves_out_rows_that_would_end_after_it_and_a_second_call_asks_them(tmp_path):
    rows = [a_row("short"), a_row("long", estimate_s=100.0), a_row("brief")]
    report, _ = check(rows, asking(tmp_path, {}), budget_s=30.0)
    assert asked(tmp_path) == ["short", "brief"]
    assert verdicts(report)["long"] == "not asked: the budget was spent"
    assert report.is_good
    report, _ = check(rows, asking(tmp_path, {}))
    assert verdicts(report)["long"] == "within its bound"


def test_a_row_that_outlasts_the_budget_has_not_failed(tmp_path):
    report, _ = check([a_row("slow")], asking(tmp_path, {"slow": HANG}), budget_s=2.0)
    assert verdicts(report) == {"slow": "not asked: the budget was spent"}


def test_a_row_says_what_it_needs_and_is_not_asked(tmp_path):
    rows = [
        a_row("gpu", gpus=1),
        a_row("gpus", gpus=2),
        a_row("vllm", vllm=True),
        a_row("ray", ray=True),
        a_row("nodes", elsewhere="two nodes"),
        a_row("both", gpus=2, asked_of_cpus=True, ray=True),
    ]
    report, _ = check(rows, asking(tmp_path, {}))
    assert list(verdicts(report).values()) == [
        "needs a GPU",
        "needs 2 GPUs",
        "needs vLLM: pip install 'reasonrl[vllm]'",
        "needs Ray: pip install 'reasonrl[cluster]'",
        "needs two nodes",
        "needs Ray: pip install 'reasonrl[cluster]'",
    ]
    assert report.is_good
    one_gpu = Sight(device="cuda", gpus=1, has_vllm=True, has_ray=True)
    report, _ = check(rows, asking(tmp_path, {}, one_gpu))
    assert asked(tmp_path) == ["gpu", "vllm", "ray"]
    assert verdicts(report)["both"] == "needs 2 GPUs"
    here = Sight(device="cpu", gpus=0, has_vllm=True, has_ray=True)
    report, _ = check(rows, asking(tmp_path, {}, here))
    assert asked(tmp_path) == ["gpu", "vllm", "ray", "both"]


def test_a_row_that_runs_says_so_now_and_then(tmp_path):
    said = []
    slow = f"import time; time.sleep(1); {answering(tmp_path, 'slow')}"
    check([a_row("slow")], asking(tmp_path, {"slow": slow}, note=said.append, sign_s=0.3))
    assert said[0].startswith("slow: What of slow? (since ")
    assert any("running for" in text for text in said)
    assert said[-1].startswith("slow: within its bound")


def test_a_spoiled_result_is_named_with_what_to_do(tmp_path):
    check([a_row("one")], asking(tmp_path, {}))
    (tmp_path / "one.json").write_text('{"name": "one", "state": "answered", "answer": 3}')
    with pytest.raises(CheckpointError, match=r"one\.json.*delete the file"):
        check([a_row("one")], asking(tmp_path, {}))


def test_an_unknown_row_is_refused_with_the_near_ones():
    rows = [a_row("sleep"), a_row("seeds")]
    assert chosen(rows, ["seeds"]) == ["seeds"]
    with pytest.raises(ConfigError, match="did you mean sleep"):
        chosen(rows, ["slep"])


SCRIPT = """
import sys
from pathlib import Path
from reasonrl.gpu.check import check
from tests.unit.gpu.support import a_row, asking
out = Path(sys.argv[1])
programs = {"hangs": "import os, time; open(%r, 'w').write(str(os.getpid())); time.sleep(600)"}
rows = [a_row("one"), a_row("hangs"), a_row("last")]
report, is_stopped = check(rows, asking(out, programs))
print(is_stopped, [row.verdict for row in report.rows])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_check_ends_its_row_and_keeps_what_is_answered(number, tmp_path):
    pid = tmp_path / "pid"
    command = [sys.executable, "-c", SCRIPT % str(pid), str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        end = time.monotonic() + 60
        while not (pid.exists() and pid.read_text()):
            assert time.monotonic() < end
            time.sleep(0.02)
        os.kill(process.pid, number)
        said = process.communicate(timeout=60)[0]
    stopped = "'not asked: the check was stopped'"
    assert said.strip() == f"True ['within its bound', {stopped}, {stopped}]"
    assert has_ended(int(pid.read_text()))
    report, _ = check([a_row("one"), a_row("hangs"), a_row("last")], asking(tmp_path, {}))
    assert report.is_good
    assert asked(tmp_path) == ["one", "hangs", "last"]
