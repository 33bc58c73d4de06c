"""`reasonrl gpu check` where vLLM and Ray are installed: the rows that need them.

The other rows are asked by tests/e2e/test_gpu_check.py.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from reasonrl.gpu.rows import ROWS
from tests.e2e.support import COMMAND

ASKED = [row.name for row in ROWS if row.needs.vllm]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_row_with_vllm_that_a_cpu_can_answer_is_within_its_bound(tmp_path):
    only = [word for name in ASKED for word in ("--only", name)]
    done = subprocess.run(
        [*COMMAND, "gpu", "check", "--device", "cpu", "--model", "tiny", "--out", tmp_path, *only],
        capture_output=True,
        text=True,
        check=False,
        timeout=850,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "check.json").read_text())["rows"]}
    for name in ASKED:
        # vLLM cannot sleep on a CPU.
        assert rows[name]["state"] == ("needs" if name == "sleep" else "answered"), name
    found = {figure["name"]: figure["value"] for figure in rows["sync-stale"]["answer"]["figures"]}
    assert found["planted faults that were found"] == 2
