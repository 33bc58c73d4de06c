"""The pages that answer a user's question: every recipe on them runs as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.support import REPOSITORY, metrics_of, rollouts_of
from tests.e2e.support import reasonrl_here as here

_BLOCK = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def files_of(page: str, folder: Path) -> Path:
    """Write the files that a page shows into a folder, and return its recipe."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    blocks = dict(_BLOCK.findall(text))
    for name, content in blocks.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder / "own.toml"


def trained(page: str, folder: Path) -> tuple[Path, str]:
    recipe = files_of(page, folder)
    run = folder / "run"
    done = here("train", recipe, "--run-dir", run, "--set", "engine.threads=1")
    assert done.returncode == 0, done.stderr
    return run, done.stdout


def test_my_own_reward(tmp_path: Path) -> None:
    run, said = trained("own-reward.md", tmp_path)
    assert "reward=" in said
    rows = metrics_of(run)
    assert rows[-1]["reward/short/mean"] > rows[0]["reward/short/mean"]
    assert json.loads(rollouts_of(run)[0]["reward_notes"])["short"].endswith("tokens")


def test_my_own_data(tmp_path: Path) -> None:
    run, _ = trained("own-data.md", tmp_path)
    for row in metrics_of(run):
        assert row["source/rows/rollouts"] == 12
        assert row["source/arithmetic/rollouts"] == 4
    own = [row for row in rollouts_of(run) if "pen" in row["prompt"]]
    assert {row["answer"] for row in own} == {"4", "6", "8"}
    assert all(row["prompt"].endswith("Answer with just the number.") for row in own)


def test_my_own_model(tmp_path: Path) -> None:
    run, _ = trained("own-model.md", tmp_path)
    assert (run / "code" / "mine.jinja").exists()
    texts = [row["text"] for row in rollouts_of(run)]
    assert not any("\n" in text.rstrip("\n") for text in texts)
    done = here("data", "check", tmp_path / "own.toml", "--model", "tiny")
    assert "[system] Answer with a number." in done.stdout
    assert "[assistant] =" in done.stdout


@pytest.mark.parametrize("words", [("own.toml",), ("rows.jsonl", "--fields",
    "prompt=question,answer=answer", "--answer-after", "####", "--model", "tiny")])  # fmt: skip
def test_the_check_of_own_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    files_of("own-data.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    done = here("data", "check", *words)
    assert done.returncode == 0, done.stdout
    assert "answer: 6" in done.stdout
    assert "0 refused" in done.stdout


def test_why_is_my_reward_zero(tmp_path: Path) -> None:
    run, _ = trained("zero-reward.md", tmp_path)
    without = tmp_path / "boxed"
    done = here("train", tmp_path / "own.toml", "--run-dir", without,
                "--set", "engine.threads=1", "--set", "verify.unboxed=false")  # fmt: skip
    assert done.returncode == 0
    assert {row["status"] for row in rollouts_of(without)} <= {"NO_ANSWER", "TRUNCATED"}
    assert run.is_dir()
