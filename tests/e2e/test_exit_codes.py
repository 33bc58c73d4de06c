"""Exit codes: 0 done or yes, 1 no, 2 what the user can mend, 70 a bug, 130 stopped."""

import subprocess
import sys

from reasonrl.cli.endings import ExitCode
from tests.e2e.support import RECIPES, reasonrl


def test_what_the_user_can_mend_ends_with_2(tmp_path):
    assert reasonrl("train", tmp_path / "none.toml").returncode == ExitCode.MENDABLE
    assert reasonrl("train").returncode == ExitCode.MENDABLE
    assert reasonrl("status", tmp_path).returncode == ExitCode.MENDABLE


def test_an_answer_of_no_ends_with_1():
    asked = ("plan", RECIPES / "or1-32b.toml", "--set", "engine.learner.ranks=8")
    done = reasonrl(*asked)
    assert (done.returncode, "does not fit" in done.stdout) == (ExitCode.NO, True)


def test_a_bug_ends_with_70_and_its_traceback():
    code = (
        "import sys\n"
        "from reasonrl.cli import app, plan\n"
        "def broken(): raise KeyError('lost')\n"
        "app.app.command('broken')(broken)\n"
        "sys.argv = ['reasonrl', 'broken']\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.BUG
    assert "Traceback" in done.stderr
    assert "please report it" in done.stderr
