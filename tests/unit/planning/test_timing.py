"""Time: Tables 7 to 9 within their bound, and laws of more GPUs and of pipelines."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
from benchmarks.calibrate import errors_left_out, fit, systems

from reasonrl.planning.calibrated import baseline, reproduce_tables
from reasonrl.planning.timing import REPORT_SYSTEM


@pytest.mark.parametrize("row", reproduce_tables(), ids=lambda row: f"{row.table}: {row.quantity}")
def test_every_number_of_tables_7_to_9_is_within_a_quarter(row):
    assert abs(row.error) < 0.25


def test_the_tables_are_all_there():
    rows = reproduce_tables()
    assert len(rows) == 4 * (4 + 2) + 4  # hours and shares of four runs, four t_R
    assert sum(abs(row.error) < 0.1 for row in rows) > 0.8 * len(rows)


def test_the_constants_are_the_least_squares_fit():
    assert fit() == REPORT_SYSTEM


def test_measurements_of_7b_follow_from_each_other_and_32b_not_from_7b():
    """The errors that docs/planning.md gives for the formulas."""
    worst = {
        phase: [abs(error) for error in errors_left_out(system)]
        for phase, system in systems().items()
    }
    assert max(worst["t_R"][:-1]) < 0.15
    assert max(worst["t_T"][:-1]) < 0.27
    assert max(worst["t_O"][:-1]) < 0.10
    assert [round(errors[-1], 1) for errors in worst.values()] == [0.5, 0.3, 0.7]


def test_more_gpus_are_never_slower_and_end_at_the_longest_sample():
    times = [baseline(gpus).time(REPORT_SYSTEM) for gpus in (8, 16, 32, 64, 128, 256, 512, 1024)]
    assert all(more.rollout_s <= few.rollout_s for few, more in pairwise(times))
    assert all(more.update_s < few.update_s for few, more in pairwise(times))
    assert times[-1].rollout_s < 1.1 * times[-1].longest_s


def test_a_pipeline_waits_for_the_slower_side_only():
    time = baseline(32).time(REPORT_SYSTEM)
    learning = time.update_s + time.other_s
    assert time.total_s == time.rollout_s + learning
    assert replace(time, is_pipelined=True).total_s == max(time.rollout_s, learning)


def test_planning_loads_neither_torch_nor_transformers():
    code = (
        "import sys, reasonrl.planning.plan, reasonrl.planning.calibrated\n"
        "assert not {'torch', 'transformers', 'ray', 'vllm', 'simpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
