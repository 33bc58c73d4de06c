"""The moves of a cursor: none passes the end, and none is made for another token."""

from __future__ import annotations

import pytest

from reasonrl.verify.math.cursor import Cursor
from reasonrl.verify.math.lexer import TokenKind, UnreadableError, tokens


def cursor(text: str) -> Cursor:
    return Cursor(tokens(text))


def test_no_move_passes_the_end() -> None:
    at_end = cursor("x")

    assert at_end.take().text == "x"
    assert [at_end.take().kind for _ in range(3)] == [TokenKind.END] * 3
    assert at_end.after.kind is TokenKind.END
    assert at_end.before == "x"


def test_a_sign_that_is_not_next_is_not_skipped() -> None:
    before_x = cursor("+x")

    assert not before_x.skip("-")
    assert before_x.skip("+")
    assert before_x.token.text == "x"
    with pytest.raises(UnreadableError):
        before_x.expect("+")


def test_a_letter_is_no_sign_even_if_it_has_the_same_text() -> None:
    assert not cursor("x").sees("x")


@pytest.mark.parametrize(
    ("text", "spelling", "rest"), [("{a{b}c}d", "a{b}c", "d"), ("ab", "a", "b"), ("{}d", "", "d")]
)
def test_a_raw_argument_is_a_whole_group_or_one_token(text: str, spelling: str, rest: str) -> None:
    before_group = cursor(text)

    assert before_group.raw_argument() == spelling
    assert before_group.token.text == rest


def test_a_group_without_an_end_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        cursor("{a{b}").raw_argument()
