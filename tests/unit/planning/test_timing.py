"""Time: Tables 7 to 9 within their bound, the decode formula against a count, and laws."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
from benchmarks.calibrate import errors_left_out, fit, systems
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.planning import lengths
from reasonrl.planning.calibrated import baseline, reproduce_tables
from reasonrl.planning.decode import DecodeCost, replica_s
from reasonrl.planning.timing import REPORT_SYSTEM

COST = DecodeCost(step_s=0.01, row_s=0.001, token_s=1e-6)


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
    """What docs/planning.md says of how far to trust the formulas."""
    worst = {phase: [abs(one) for one in errors_left_out(it)] for phase, it in systems().items()}
    assert max(worst["t_R"][:-1]) < 0.15
    assert max(worst["t_T"][:-1]) < 0.27
    assert max(worst["t_O"][:-1]) < 0.10
    assert [round(errors[-1], 1) for errors in worst.values()] == [0.5, 0.3, 0.7]


def counted_s(rows, slots):
    """Return the seconds of a replica, step by step, as continuous batching goes."""
    waiting, running, clock = list(rows), [], 0.0
    while waiting or running:
        while waiting and len(running) < slots:
            running.append([waiting.pop(0), lengths.PROMPT_TOKENS])
        context = sum(row[1] for row in running)
        clock += COST.step_s + len(running) * COST.row_s + context * COST.token_s
        running = [[left - 1, held + 1] for left, held in running if left > 1]
    return clock


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12))
def test_the_decode_formula_counts_what_continuous_batching_does(rows):
    found = replica_s(COST, rows, slots=12)
    # the formula integrates where the count sums: half a token of context a step apart
    assert found == pytest.approx(counted_s(rows, 12), rel=1e-3)


def test_fewer_slots_than_rows_take_as_long_as_a_count_in_some_order():
    rows = [50, 100, 150, 200] * 8
    assert replica_s(COST, rows, slots=8) == pytest.approx(counted_s(rows, 8), rel=0.1)
    assert replica_s(COST, rows, slots=8) > replica_s(COST, rows, slots=32)


def test_spans_add_up():
    whole = COST.span_s(10, 3, 600)
    assert COST.span_s(4, 3, 600) + COST.span_s(6, 3, 612) == pytest.approx(whole)


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


@pytest.mark.parametrize("limit", [8_192, 16_384, 32_768])
def test_assumed_lengths_have_the_assumed_mean_and_end_at_the_limit(limit):
    found = lengths.response_lengths(4_096, limit)
    assert sum(found) / len(found) == pytest.approx(lengths.mean_tokens(limit), rel=1e-3)
    assert max(found) == limit
    assert sum(length == limit for length in found) / len(found) == pytest.approx(0.145, abs=0.002)
    assert list(found) == sorted(found)


def test_planning_loads_neither_torch_nor_transformers():
    code = (
        "import sys, reasonrl.planning.plan, reasonrl.planning.calibrated\n"
        "assert not {'torch', 'transformers', 'ray', 'vllm', 'simpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
