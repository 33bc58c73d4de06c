"""Starting the command costs little: `--help` loads no recipe, no array library, no verifier."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pydantic", "numpy", "torch", "pebble", "rich.table", "reasonrl.recipe", "reasonrl.verify")


def test_the_command_line_loads_nothing_heavy():
    code = f"import sys, reasonrl.cli.app; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
