"""Rows: the two forms of a row, and errors that name the key."""

from __future__ import annotations

import pytest

from reasonrl.data.files import WrittenNumber
from reasonrl.data.rows import has_half_surrogate, parse_row
from reasonrl.errors import DataError
from reasonrl.types import Kind

PLAIN = {"id": "p1", "prompt": "1 + 1?", "answer": "2"}
RELEASED = {
    "data_source": "s",
    "prompt": "1 + 1?",
    "ability": "math",
    "reward_model": {"ground_truth": "2"},
    "extra_info": {"index": WrittenNumber("7")},
}


def test_a_null_counts_as_an_absent_key() -> None:
    assert parse_row({**PLAIN, "kind": None, "source": None}) == parse_row(PLAIN)


def test_a_plain_row_is_math_unless_it_says_code() -> None:
    assert parse_row(PLAIN).kind is Kind.MATH
    assert parse_row({**PLAIN, "kind": "code"}).kind is Kind.CODE


def test_a_number_as_answer_keeps_the_digits_of_the_file() -> None:
    assert parse_row({**PLAIN, "answer": WrittenNumber("0.10")}).answer == "0.10"


def test_other_keys_of_a_row_are_kept() -> None:
    assert parse_row({**RELEASED, "split": "train"}).id == "s-7"
    assert parse_row({**PLAIN, "split": "train"}).extra == {"split": "train"}


@pytest.mark.parametrize(
    ("key", "meant"), [("question", "prompt"), ("Gold", "answer"), ("answr", "answer")]
)
def test_a_known_synonym_or_a_misspelt_key_is_corrected(key: str, meant: str) -> None:
    row = {name: value for name, value in PLAIN.items() if name != meant}
    with pytest.raises(DataError) as caught:
        parse_row({**row, key: "x"})
    assert caught.value.remedy.startswith(f'did you mean "{meant}"?')


@pytest.mark.parametrize(
    ("count", "is_accepted"),
    [("0", True), ("16", True), ("17", False), ("-1", False), ("1.0", False), ("016", False)],
)
def test_difficulty_is_a_whole_number_of_16_attempts(count: str, is_accepted: bool) -> None:
    row = {**PLAIN, "difficulty": {"tiny": WrittenNumber(count)}}
    if is_accepted:
        assert parse_row(row).difficulty == {"tiny": int(count)}
    else:
        with pytest.raises(DataError, match="expected a whole number from 0 to 16"):
            parse_row(row)


def test_a_model_without_a_difficulty_is_left_out() -> None:
    row = {**PLAIN, "difficulty": {"tiny": 3, "large": None}}
    assert parse_row(row).difficulty == {"tiny": 3}


@pytest.mark.parametrize("value", [True, ["p1"], {}, float("nan")])
def test_an_id_that_is_no_text_and_no_number_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="id"):
        parse_row({**PLAIN, "id": value})


def test_half_a_surrogate_pair_is_refused() -> None:
    assert has_half_surrogate("a\ud800")
    assert not has_half_surrogate("\U0001f600")
    with pytest.raises(DataError, match="half a surrogate pair"):
        parse_row({**PLAIN, "prompt": "a\ud800"})
