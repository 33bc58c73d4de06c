"""Laws of derived seeds."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrl.seeds import derive_seed

PARTS = st.lists(st.integers() | st.text(), max_size=4)


def test_a_seed_is_blake2b_of_typed_and_sized_parts() -> None:
    # The encoding written by hand; the number was computed once and must never change.
    encoded = b"i1:0s7:rollouti1:3s7:add-3-5"
    by_hand = int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "big") >> 1
    assert derive_seed(0, "rollout", 3, "add-3-5") == by_hand == 1750463770036477697


@given(PARTS)
def test_a_seed_fits_in_63_bits(parts: list[int | str]) -> None:
    assert 0 <= derive_seed(*parts) < 2**63


@given(PARTS, PARTS)
def test_different_parts_give_different_seeds(
    first: list[int | str], second: list[int | str]
) -> None:
    assert (derive_seed(*first) == derive_seed(*second)) == (first == second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a", "bc"), ("ab", "c")),
        ((1,), ("1",)),
        ((12, 3), (1, 23)),
        (("",), ()),
        (("s1:a",), ("a",)),
    ],
)
def test_parts_that_look_alike_when_joined_differ(
    first: tuple[int | str, ...], second: tuple[int | str, ...]
) -> None:
    assert derive_seed(*first) != derive_seed(*second)


def test_text_that_is_no_valid_unicode_still_has_a_seed() -> None:
    assert derive_seed("\ud800") != derive_seed("?")


def test_a_float_is_no_part_of_a_seed() -> None:
    with pytest.raises(TypeError):
        derive_seed(0.5)  # type: ignore[arg-type]
