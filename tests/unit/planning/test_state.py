"""Training states: the bytes of each optimizer, type of parameters and adapter, by hand."""

import pytest

from reasonrl.planning.published import SHAPES
from reasonrl.planning.state import (
    LINEAR,
    adamw,
    adamw_8bit,
    in_bfloat16,
    lora,
    with_moments_on_host,
)

SHAPE = SHAPES["Qwen/Qwen3-0.6B"]
N = 596_049_920
MATRICES = 28 * (1024 * (2048 + 1024 + 1024) + 2048 * 1024 + 3 * 1024 * 3072)


def bytes_of(state):
    """Return the bytes a parameter: weights, gradients, moments, and moments on the host."""
    sizes = (state.weights, state.gradients, state.moments, state.on_host)
    return tuple(size(SHAPE) / N for size in sizes)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (adamw(), (4, 4, 8, 0)),
        # Two moments of a byte, and two scales of 4 bytes for each 256 numbers.
        (adamw_8bit(), (4, 4, 2 + 8 / 256, 0)),
        (with_moments_on_host(adamw()), (4, 4, 0, 8)),
        (with_moments_on_host(adamw_8bit()), (4, 4, 0, 2 + 8 / 256)),
        # A weight and what its rounding left over, 2 bytes each; gradients stay float32.
        (in_bfloat16(adamw()), (4, 4, 8, 0)),
        (in_bfloat16(with_moments_on_host(adamw_8bit())), (4, 4, 0, 2 + 8 / 256)),
    ],
    ids=["float32", "8-bit", "host", "8-bit, host", "bfloat16", "all three"],
)
def test_a_state_takes_the_bytes_of_a_hand_calculation(state, expected):
    assert bytes_of(state) == pytest.approx(expected)


def test_float32_layers_that_compute_in_bfloat16_keep_copies_of_their_matrices_alone():
    assert adamw().copies(SHAPE, 2) == 2 * MATRICES
    assert adamw().copies(SHAPE, 4) == 0
    assert in_bfloat16(adamw()).copies(SHAPE, 2) == 0


def test_a_reference_is_a_second_model_in_the_type_of_its_layers_and_with_adapters_nothing():
    assert adamw().reference(SHAPE, 2) == 4 * N - 2 * MATRICES
    assert adamw().reference(SHAPE, 4) == 4 * N
    assert lora(8, compute_bytes=2, state=adamw()).reference(SHAPE, 2) == 0


def test_adapters_of_rank_r_have_r_times_inputs_and_outputs_of_each_matrix():
    # q 1024 to 2048, k and v 1024 to 1024, o 2048 to 1024, gate and up 1024 to 3072, down back.
    per_rank = 28 * (3072 + 2 * 2048 + 3072 + 3 * 4096)
    state = lora(16, compute_bytes=2, state=adamw())
    assert state.trained(SHAPE) == 16 * per_rank
    attention = lora(16, compute_bytes=2, targets=LINEAR[:4], state=adamw())
    assert attention.trained(SHAPE) == 16 * 28 * (3072 + 2 * 2048 + 3072)


@pytest.mark.parametrize("compute_bytes", [2, 4])
def test_with_adapters_layers_are_frozen_in_the_type_they_compute_in_and_the_rest_in_float32(
    compute_bytes,
):
    state = lora(16, compute_bytes=compute_bytes, state=adamw())
    layers, root = 28 * SHAPE.layer_parameters, SHAPE.root_parameters
    frozen = compute_bytes * layers + 4 * root
    assert state.weights(SHAPE) == frozen + 4 * state.trained(SHAPE)
    learned = state.weights(SHAPE) - frozen + state.gradients(SHAPE) + state.moments(SHAPE)
    assert learned == 16 * state.trained(SHAPE)
    assert state.copies(SHAPE, 2) == 0


def test_the_moments_of_adapters_can_wait_on_the_host():
    state = lora(16, compute_bytes=2, state=with_moments_on_host(adamw()))
    assert state.moments(SHAPE) == 0
    assert state.on_host(SHAPE) == 8 * state.trained(SHAPE)


def test_the_matrices_are_those_of_the_shape():
    assert tuple(SHAPE.linear_sizes) == LINEAR
    assert SHAPE.layers * SHAPE.linear_parameters == MATRICES
