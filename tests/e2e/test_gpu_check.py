"""`reasonrl gpu check` as a person calls it, on a CPU with tiny."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from importlib.util import find_spec

import pytest

from reasonrl.gpu.rows import ROWS
from tests.e2e.support import COMMAND, reasonrl, reasonrl_here

ON_CPU = ("--device", "cpu", "--model", "tiny")
WITHOUT_VLLM = "needs vLLM: pip install 'reasonrl[vllm]'"


def rows_of(out) -> dict[str, dict]:
    return {row["name"]: row for row in json.loads((out / "check.json").read_text())["rows"]}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("vllm") is not None, reason="is for a machine without vLLM")
def test_a_bare_machine_answers_all_that_a_cpu_can_answer(tmp_path):
    out = tmp_path / "check"
    done = subprocess.run(
        [*COMMAND, "gpu", "check", *ON_CPU, "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(out)
    assert list(rows) == [row.name for row in ROWS]
    for row in ROWS:
        needs_more = row.needs.vllm or row.needs.gpus or row.needs.elsewhere
        assert rows[row.name]["state"] == ("needs" if needs_more else "answered"), row.name
    for name in ("sync-stale", "quickstart-ray-shared", "tensor-parallel"):
        assert rows[name]["reason"] == WITHOUT_VLLM.removeprefix("needs ")
    assert rows["sleep"]["reason"] == "a GPU"
    assert WITHOUT_VLLM in done.stdout
    assert "OUT OF BOUND" not in done.stdout
    page = (out / "check.html").read_text()
    assert "within its bound" in page
    assert "http" not in page.replace("http-equiv", "")
    assert (out / "work" / "quickstart-local" / "run" / "report.html").exists()
    kept = (out / "resume.json").read_text()
    again = reasonrl_here("gpu", "check", "--out", out)
    assert again.returncode == 0
    assert (out / "resume.json").read_text() == kept


def test_a_budget_leaves_rows_for_the_next_call_and_says_how_to_go_on(tmp_path):
    out = tmp_path / "a b"
    done = reasonrl_here("gpu", "check", *ON_CPU, "--out", out, "--budget", "0s")
    assert done.returncode == 0
    assert rows_of(out)["machine"]["reason"] == "the budget was spent"
    how = f"reasonrl gpu check --device cpu --model tiny --out '{out}'"
    assert how in done.stdout.replace("\n", "")
    done = reasonrl_here("gpu", "check", "--out", out, "--only", "machine")
    assert done.returncode == 0
    assert rows_of(out)["machine"]["state"] == "answered"


def test_a_row_that_fails_ends_with_exit_code_1_and_the_end_of_its_log(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    out = tmp_path / "check"
    asked = ("--device", "cpu", "--model", model, "--out", out, "--only", "logprobs-float32")
    done = reasonrl_here("gpu", "check", *asked)
    assert done.returncode == 1
    row = rows_of(out)["logprobs-float32"]
    assert row["state"] == "failed"
    assert "cannot load" in row["reason"]
    assert "cannot load" in row["log"][-1]
    assert "to ask the rows left" in done.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--only", "atention"), "did you mean attention"),
        (("--budget", "soon"), "a time such as 90s, 30m or 2h"),
        (("--model", "nowhere"), "no model is there"),
        (("--device", "tpu"), "expected cuda or cpu"),
    ],
)
def test_a_wrong_argument_ends_with_exit_code_2(given, said, tmp_path):
    done = reasonrl_here("gpu", "check", "--out", tmp_path / "check", *given)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "check").exists()


def test_cuda_without_a_gpu_is_refused_with_what_to_do(tmp_path):
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = reasonrl("gpu", "check", "--device", "cuda", "--out", tmp_path / "check", env=hidden)
    assert done.returncode == 2
    assert "torch sees no GPU here" in done.stderr
    assert "pass --device cpu" in done.stderr


def test_another_device_or_model_is_refused_in_the_same_directory(tmp_path):
    out = tmp_path / "check"
    assert reasonrl_here("gpu", "check", *ON_CPU, "--out", out, "--budget", "0s").returncode == 0
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    done = reasonrl_here("gpu", "check", "--device", "cpu", "--model", model, "--out", out)
    assert done.returncode == 2
    assert "pass another --out" in done.stderr


def test_the_list_shows_every_row_and_asks_none(tmp_path):
    done = reasonrl_here("gpu", "check", "--list", "--out", tmp_path / "check")
    assert done.returncode == 0
    assert all(row.name in done.stdout for row in ROWS)
    assert not (tmp_path / "check").exists()


def test_ctrl_c_ends_the_row_that_runs_and_says_how_to_go_on(tmp_path):
    out = tmp_path / "check"
    asked = ("gpu", "check", *ON_CPU, "--out", str(out), "--only", "logprobs-float32")
    with subprocess.Popen(
        [*COMMAND, *asked], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        end = time.monotonic() + 60
        while not (out / "logs" / "logprobs-float32.log").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert f"reasonrl gpu check --device cpu --model tiny --out {out}" in said.replace("\n", "")
    assert rows_of(out)["logprobs-float32"]["reason"] == "the check was stopped"
