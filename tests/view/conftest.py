"""Runs to look at, the server as a user starts it, and the system's Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.support import COMMAND, RECIPES
from tests.e2e.support import reasonrl_here as reasonrl

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SHORT = ("stage.1.steps=24", "stage.2.steps=10", "engine.threads=1")


def make(run: Path, *settings: str) -> Path:
    words = [word for setting in (*SHORT, *settings) for word in ("--set", setting)]
    done = reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *words)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> list[Path]:
    """A run that goes well, one that is broken by its rate, and one with components."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        make(folder / "well", "update.learning_rate=1e-3"),
        make(folder / "broken", "stage.2.update.learning_rate=0.3"),
        make(folder / "parts", 'reward=[{type="verifier"}, {type="repetition", weight=0.5}]'),
    ]


@contextmanager
def serving(*paths: Path) -> Iterator[str]:
    """Start `reasonrl view` and yield its address."""
    process = subprocess.Popen(
        [*COMMAND, "view", *map(str, paths), "--no-open", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/", line)
        assert address, line + process.stdout.read()
        yield address[0]
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


@pytest.fixture(scope="session")
def address(runs) -> Iterator[str]:
    with serving(*runs) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """The browser, closed after its module: an open one keeps an event loop running meanwhile."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def page(browser, request) -> Iterator[object]:
    """A page that fails its test when the browser reports an error."""
    made = browser.new_page(
        viewport={"width": 1200, "height": 900}, **getattr(request, "param", {})
    )
    errors = []
    made.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else 0
    )
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.set_default_timeout(15_000)
    yield made
    made.close()
    allowed = request.node.get_closest_marker("allowed")
    assert [text for text in errors if not (allowed and allowed.args[0] in text)] == []
