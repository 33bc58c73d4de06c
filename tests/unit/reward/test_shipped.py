"""The shipped formulas, by hand."""

from __future__ import annotations

import pytest

from reasonrl.reward import shipped
from tests.unit.reward.support import record

BOX = r"\boxed{2}"


@pytest.mark.parametrize(
    ("response", "thought", "box", "opens", "value"),
    [
        (f"<think>a</think>{BOX}", "required", True, False, 1),
        (f"a</think>{BOX}", "required", True, True, 1),
        (f"a</think>{BOX}", "required", True, False, 0),
        (f"<think>a</think>{BOX}", "required", True, True, 0),
        (BOX, "required", True, False, 0),
        (f"<think>a{BOX}", "required", True, False, 0),
        (f"<think>a</think><think>b</think>{BOX}", "required", True, False, 0),
        (f"<think>{BOX}</think>2", "required", True, False, 0),
        ("<think>a</think>2", "required", False, False, 1),
        (f"<think>a</think>{BOX}{BOX}", "required", True, False, 0),
        (r"<think>a</think>\boxed{2", "required", True, False, 0),
        (BOX, "optional", True, False, 1),
        (f"<think>a</think>{BOX}", "optional", True, False, 1),
        (f"<think>{BOX}", "optional", True, False, 0),
        ("a", "optional", False, True, 0),
        (BOX, "forbidden", True, False, 1),
        (f"<think>a</think>{BOX}", "forbidden", True, False, 0),
        (f"a{BOX}", "forbidden", True, True, 0),
    ],
)
def test_the_form_of_a_response(
    response: str, thought: str, box: bool, opens: bool, value: float
) -> None:
    one = record(response, opens_thought=opens)
    assert shipped.has_form(one, thought=thought, box=box) == value


def test_a_response_that_was_cut_off_has_no_form() -> None:
    one = record(f"<think>a</think>{BOX}", stop="length")
    assert shipped.has_form(one, thought="required", box=True) == 0


@pytest.mark.parametrize(
    ("tokens", "value"), [(10, 0.0), (80, 0.0), (85, -0.25), (90, -0.5), (100, -1.0), (140, -1.0)]
)
def test_the_soft_overlong_penalty_of_dapo(tokens: int, value: float) -> None:
    assert shipped.overlong(record(tokens=tokens), buffer=20, limit=None) == pytest.approx(value)
    assert shipped.overlong(record(tokens=tokens, limit=9), buffer=20, limit=100) == value


def test_the_length_reward_of_kimi() -> None:
    group = [
        record(tokens=10, right=True), record(tokens=20, right=True), record(tokens=30, right=True),
        record(tokens=10, right=False), record(tokens=30, right=False), record(tokens=5),
    ]  # fmt: skip
    assert shipped.short_and_right(group) == [0.5, 0.0, -0.5, 0.0, -0.5, None]
    level = [record(tokens=10, right=True), record(tokens=10, right=False)]
    assert shipped.short_and_right(level) == [0.0, 0.0]
    assert shipped.short_and_right([record()]) == [None]


@pytest.mark.parametrize(
    ("text", "words", "value"),
    [
        ("a b c d", 2, 0.0), ("a b a b", 2, -1 / 3), ("A b a B", 2, -1 / 3), ("a a a a", 1, -0.75),
        ("a b", 3, 0.0), ("", 2, 0.0), ("wait " * 101, 1, -100 / 101),
    ],
)  # fmt: skip
def test_repeated_n_grams(text: str, words: int, value: float) -> None:
    assert shipped.repetition(record(text), words=words) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "script", "value"),
    [
        ("plain words", "latin", 1.0), ("слова", "latin", 0.0), ("ab вг", "cyrillic", 0.5),
        (r"因此 $x^2$ \frac{1}{2} 是", "han", 1.0), ("`a` 答案", "han", 1.0), ("123", "han", 1.0),
        ("", "latin", 1.0), ("ひらがな漢字", "kana", 1.0), ("ひらがな漢字", "han", 1 / 3),
        ("<think>слово</think>", "cyrillic", 1.0), ("é ü ß", "latin", 1.0),
    ],
)  # fmt: skip
def test_the_share_of_letters_in_a_script(text: str, script: str, value: float) -> None:
    assert shipped.in_script(record(text), script=script) == pytest.approx(value)


@pytest.mark.parametrize(
    ("response", "key", "value"),
    [
        (r"\boxed{B}", "B", 1.0), (r"\boxed{b}", "(B)", 1.0), (r"\boxed{A}", "B", 0.0),
        (r"\boxed{\text{(B)}\ 12}", "B", 1.0), ("The answer is B.", "B", 1.0),
        ("The answer is (B) because", "B", 1.0), ("Answer: A. No, answer: B", "B", 1.0),
        ("B", "B", 1.0), ("B) twelve", "B", 1.0), ("Bad luck", "B", 0.0), ("", "B", 0.0),
        ("A careful analysis.", "A", 0.0), ("The answer is a large number.", "A", 0.0),
        ("I do not know", "I", None), ("B. twelve", "B", 1.0), ("12", "A man", None),
        ("option C", "B", 0.0), (r"\boxed{B}", "Berlin", None), (r"\boxed{B}", "F", None),
    ],
)  # fmt: skip
def test_the_chosen_letter(response: str, key: str, value: float | None) -> None:
    assert shipped.choice(record(response, key=key), letters="ABCDE") == value


def test_a_choice_that_was_cut_off_is_wrong() -> None:
    assert shipped.choice(record("Answer: B", key="B", stop="length"), letters="AB") == 0.0
