"""Spelling alone: which characters form one token, and which value a number has."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrl.verify.math.lexer import TokenKind, UnreadableError, tokens


def texts_of(text: str) -> list[str]:
    return [token.text for token in tokens(text)][:-1]


def kinds_of(text: str) -> list[TokenKind]:
    return [token.kind for token in tokens(text)][:-1]


@pytest.mark.parametrize("text", ["0.1(6)", r"0.1\overline{6}", "0.1666...", r"0.1666\ldots"])
def test_every_spelling_of_a_repeating_decimal_is_one_exact_number(text: str) -> None:
    (number, _) = tokens(text)

    assert number.value is not None
    assert number.value.value == Fraction(1, 6)
    assert number.value.decimals is None


@pytest.mark.parametrize("text", ["0.66...", "0.12...", "0.1..."])
def test_dots_behind_digits_that_do_not_repeat_often_enough_are_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        tokens(text)


def test_two_repetitions_are_enough_for_a_longer_block() -> None:
    (number, _) = tokens("0.1212...")

    assert number.value is not None
    assert number.value.value == Fraction(4, 33)


def test_a_power_of_ten_moves_the_last_decimal() -> None:
    (number, _) = tokens("1.50e3")

    assert number.value is not None
    assert (number.value.value, number.value.decimals) == (1500, -1)


def test_a_comma_separates_thousands_outside_brackets_and_items_inside() -> None:
    assert texts_of("1,200") == ["1200"]
    assert texts_of("(1,200)") == ["(", "1", ",", "200", ")"]


def test_three_letters_are_a_product_and_four_are_a_word() -> None:
    assert kinds_of("xyz") == [TokenKind.LETTER] * 3
    assert kinds_of("wxyz") == [TokenKind.TEXT]


def test_names_of_functions_and_of_units_are_no_products() -> None:
    assert kinds_of("sin cm") == [TokenKind.WORD, TokenKind.TEXT]


@pytest.mark.parametrize("text", ["<=", r"\le", r"\leq", r"\leqslant"])
def test_one_sign_has_one_token_in_every_spelling(text: str) -> None:
    assert texts_of(text) == ["<="]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (r"\mathbf{x}", TokenKind.LETTER), (r"\mathrm{e}", TokenKind.LETTER),
        (r"\mathrm{m}", TokenKind.TEXT), (r"\mathbb{R}", TokenKind.COMMAND),
        (r"\operatorname{lcm}", TokenKind.WORD), (r"\text{ or }", TokenKind.SIGN),
        (r"\text{cm}", TokenKind.TEXT), (r"\mathrm{12}", TokenKind.NUMBER),
    ],
)  # fmt: skip
def test_a_marked_text_becomes_a_letter_a_unit_or_a_sign(text: str, kind: TokenKind) -> None:
    assert kinds_of(text) == [kind]


@settings(derandomize=True, max_examples=200)
@given(st.text(alphabet=r"\{}()[]0123456789.,+-*/^_|<>=!abcesintxz ", max_size=40))
def test_any_ascii_text_is_cut_into_tokens_with_an_end_or_is_unreadable(text: str) -> None:
    try:
        result = tokens(text)
    except UnreadableError:
        return
    assert result[-1].kind is TokenKind.END
    assert TokenKind.END not in [token.kind for token in result[:-1]]
    assert all((token.value is not None) is (token.kind is TokenKind.NUMBER) for token in result)
