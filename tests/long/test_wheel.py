"""The wheel works where there is no clone: installed in an environment, run elsewhere.

The environment reuses the libraries of the running one, since torch takes minutes and gigabytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("wheel")]

# PYTHONPATH may lead to the clone, whose modules would then win over the wheel's.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip"]
    built = run(*pip, "wheel", "--no-deps", "--wheel-dir", directory, REPOSITORY, cwd=directory)
    assert built.returncode == 0, built.stderr
    (path,) = directory.glob("reasonrl-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and with the running environment's libraries behind it."""
    directory = tmp_path_factory.mktemp("environment")
    made = run(sys.executable, "-m", "venv", "--without-pip", directory, cwd=directory)
    assert made.returncode == 0, made.stderr
    python = directory / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    installed = run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=directory)
    assert installed.returncode == 0, installed.stderr

    # Python reads no .pth file inside a directory that a .pth file adds, so the editable
    # installation of the running environment stays invisible.
    (packages,) = directory.glob("lib/python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
    return directory


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    assert not list(tmp_path.iterdir())
    return tmp_path


def test_the_wheel_has_recipes_types_and_licence_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = REPOSITORY / "src" / "reasonrl" / "recipe" / "shipped"
    recipes = {path.relative_to(REPOSITORY / "src").as_posix() for path in shipped.rglob("*.toml")}
    assert recipes <= names
    assert "reasonrl/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == {"reasonrl"}


def test_the_source_archive_builds_the_same_wheel(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("build", reason="needs the extra dev")
    directory = tmp_path_factory.mktemp("archive")
    built = run(sys.executable, "-m", "build", "--outdir", directory, REPOSITORY, cwd=directory)
    assert built.returncode == 0, built.stderr
    (other,) = directory.glob("reasonrl-*.whl")
    assert zipfile.ZipFile(other).namelist() == zipfile.ZipFile(wheel).namelist()


def test_the_package_that_is_imported_is_the_wheels(environment: Path, elsewhere: Path) -> None:
    code = "import reasonrl; print(reasonrl.__file__)"
    done = run(environment / "bin" / "python", "-c", code, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert environment in Path(done.stdout.strip()).parents


def test_a_shipped_recipe_trains_by_its_name(environment: Path, elsewhere: Path) -> None:
    command = environment / "bin" / "reasonrl"
    done = run(command, "train", "tiny", "--run-dir", "run", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    summary = json.loads((elsewhere / "run" / "summary.json").read_text())
    steps = (elsewhere / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(steps) == summary["steps"] > 0
    assert (elsewhere / "run" / "report.html").is_file()
    assert (elsewhere / "run" / "model" / "model.safetensors").is_file()
    assert [path.name for path in elsewhere.iterdir()] == ["run"]


def test_one_verdict_is_explained(environment: Path, elsewhere: Path) -> None:
    pair = ("--gold", r"\sqrt{2}", "--answer", "2^{1/2}")
    done = run(environment / "bin" / "reasonrl", "verify", "--explain", *pair, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "CORRECT, reward 1.0" in done.stdout
    assert "math-verify agrees" in done.stdout


def test_a_shipped_recipe_is_shown_by_its_name(environment: Path, elsewhere: Path) -> None:
    done = run(environment / "bin" / "reasonrl", "show-config", "quickstart", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert 'name = "quickstart"' in done.stdout


def test_help_lists_the_commands(environment: Path, elsewhere: Path) -> None:
    done = run(environment / "bin" / "reasonrl", "--help", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    for name in ("train", "resume", "eval", "verify", "show-config", "plan", "data", "study"):
        assert name in done.stdout


def test_the_module_runs_as_the_command_does(environment: Path, elsewhere: Path) -> None:
    done = run(environment / "bin" / "python", "-m", "reasonrl", "--help", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
