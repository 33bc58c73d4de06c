"""Decoding: the formula against a count of every step, and spans that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.planning.decode import DecodeCost, replica_s
from reasonrl.planning.lengths import PROMPT_TOKENS

COST = DecodeCost(step_s=0.01, row_s=0.001, token_s=1e-6)


def counted_s(rows, slots):
    """Return the seconds of a replica, counted step by step as in continuous batching."""
    waiting, running, clock = list(rows), [], 0.0
    while waiting or running:
        while waiting and len(running) < slots:
            running.append([waiting.pop(0), PROMPT_TOKENS])
        context = sum(row[1] for row in running)
        clock += COST.step_s + len(running) * COST.row_s + context * COST.token_s
        running = [[left - 1, held + 1] for left, held in running if left > 1]
    return clock


def test_two_rows_on_one_replica_cost_the_hand_calculation():
    # 100 and 300 tokens after prompts of 200 tokens, side by side:
    #   300 steps * 0.01 = 3; 400 tokens * 0.001 = 0.4;
    #   contexts 100 * (200 + 50) + 300 * (200 + 150) = 130,000, times 1e-6 = 0.13.
    assert replica_s(COST, [100, 300], slots=2) == pytest.approx(3.53)


def test_with_one_slot_rows_run_one_after_another():
    # The same rows as above need 400 steps instead of 300: 1 second more.
    assert replica_s(COST, [100, 300], slots=1) == pytest.approx(4.53)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12))
def test_the_formula_equals_a_count_of_every_step(rows):
    # The formula integrates where the count sums: half a token of context per step.
    assert replica_s(COST, rows, slots=12) == pytest.approx(counted_s(rows, 12), rel=1e-3)


def test_fewer_slots_than_rows_take_about_as_long_as_a_count_in_the_given_order():
    rows = [50, 100, 150, 200] * 8
    assert replica_s(COST, rows, slots=8) == pytest.approx(counted_s(rows, 8), rel=0.1)
    assert replica_s(COST, rows, slots=8) > replica_s(COST, rows, slots=32)


def test_spans_add_up():
    whole = COST.span_s(10, 3, 600)
    assert COST.span_s(4, 3, 600) + COST.span_s(6, 3, 612) == pytest.approx(whole)
