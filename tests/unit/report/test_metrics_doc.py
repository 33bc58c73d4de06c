"""docs/metrics.md names exactly what a run writes, read off a real run of two steps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("metrics-doc")]  # the run is made once

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")


def documented(heading: str) -> list[str]:
    """Return the first cells of all tables below a second-level heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = REPOSITORY / "recipes" / "tiny.toml"
    settings = ["engine.threads=1", "stage.1.steps=1", "stage.2.steps=1"]
    command = [sys.executable, "-m", "reasonrl", "train", recipe, "--run-dir", directory]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.mark.parametrize(
    ("heading", "file"),
    [
        ("A line of metrics.jsonl", "metrics.jsonl"),
        ("A line of evaluations.jsonl", "evaluations.jsonl"),
        ("summary.json", "summary.json"),
    ],
)
def test_the_tables_name_every_key_that_is_written(run: Path, heading: str, file: str) -> None:
    text = (run / file).read_text(encoding="utf-8")
    rows = [json.loads(text)] if file == "summary.json" else map(json.loads, text.splitlines())
    for row in rows:
        # Each status that a verdict had is a key of its own.
        keys = {re.sub("^verify/status/[A-Z_]+$", "verify/status/NAME", key) for key in row}
        assert sorted(keys) == sorted(documented(heading))


def test_the_columns_of_rollouts_come_in_the_order_of_the_table(run: Path) -> None:
    schema = pq.read_schema(run / "rollouts" / "step-000001.parquet")
    assert schema.names == documented("A row of rollouts/*.parquet")
    types = re.findall(r"^\| `\w+` \| ([\w ]+) \|", PAGE.split("\n## A row of")[1], re.MULTILINE)
    written = [
        f"list of {one.type.value_type}" if hasattr(one.type, "value_type") else str(one.type)
        for one in schema
    ]
    names = {
        "float": "float32",
        "double": "float64",
        "list of float": "list of float32",
        "list of struct<role: string, content: string>": "list of role and content",
    }
    assert types[: len(written)] == [names.get(one, one) for one in written]
