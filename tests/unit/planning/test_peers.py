"""What another system published, beside the formulas; and the errors that every plan prints."""

import re

import pytest
from benchmarks.calibrate import errors_left_out, systems

from reasonrl.planning.peers import NEMO_RL, shares
from reasonrl.planning.timing import LEFT_OUT
from tests.e2e.support import REPOSITORY, reasonrl_here

PAGE = (REPOSITORY / "docs" / "planning.md").read_text()


def test_the_errors_of_a_plan_are_those_of_the_calibration():
    for phase, system in systems().items():
        assert max(map(abs, errors_left_out(system))) == pytest.approx(LEFT_OUT[phase], abs=0.005)


def test_the_table_of_published_steps_is_that_of_today():
    rows = re.findall(
        r"^\| (\S+/\S+) \| (\d+), (\d+) \| ([\d,]+) \| ([\d.]+) \| ([\d,]+) \| ([\d.]+) \|$",
        PAGE, re.MULTILINE,
    )  # fmt: skip
    assert rows == [
        (
            step.model, str(step.gpus), str(step.tensor_parallel), f"{step.mean_tokens:,}",
            f"{step.seconds:g}", f"{step.predicted.total_s:,.0f}", f"{step.share:.2f}",
        )
        for step in NEMO_RL
    ]  # fmt: skip


def test_a_plan_says_how_far_it_may_be_off():
    said = reasonrl_here("plan", "or1-7b").stdout
    low, high = shares()
    assert "t_R 50%, t_T 27%, t_O 65%" in said
    assert f"took {low:.2f} to {high:.2f} of such a time" in said
