"""Download the source packages of graders, whose own tests `benchmarks.verify_public` reads.

The archives go to `graders/`, which git ignores; nothing of them is copied into the repository.

    python -m benchmarks.fetch_graders [--into graders]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PACKAGES = ("math-verify==0.9.0", "lm-eval==0.4.13")
"""Graders whose source packages hold labelled pairs of answers. latex2sympy2-extended, lighteval,
trl, verl, verifiers and evalscope were looked through: their source packages hold none."""


def main() -> int:
    """Download the packages with pip; return pip's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path(__file__).parents[1] / "graders")
    into = parser.parse_args().into
    into.mkdir(exist_ok=True)
    options = ["--no-binary", ":all:", "--no-deps", "--dest", str(into)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, *PACKAGES], check=False
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
