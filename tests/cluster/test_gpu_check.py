"""`reasonrl gpu check` where vLLM and Ray are installed: every row that a CPU can answer."""

from __future__ import annotations

import json
import subprocess

import pytest

from reasonrl.gpu.rows import ROWS
from tests.e2e.support import COMMAND


@pytest.mark.timeout(900)
def test_every_row_that_a_cpu_can_answer_is_within_its_bound(tmp_path):
    done = subprocess.run(
        [*COMMAND, "gpu", "check", "--device", "cpu", "--model", "tiny", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=850,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "check.json").read_text())["rows"]}
    for row in ROWS:
        is_answered = row.name not in ("sleep", "two-nodes")
        assert rows[row.name]["state"] == ("answered" if is_answered else "needs"), row.name
    found = {figure["name"]: figure["value"] for figure in rows["sync-stale"]["answer"]["figures"]}
    assert found["planted faults that were found"] == 2
