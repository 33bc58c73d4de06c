"""Which answers vote together."""

from reasonrl.verify.consensus import number_answers


def test_answers_of_equal_value_vote_together():
    answers = ["1/2", r"\frac{1}{2}", "0.5", "2", r"\dfrac12", "two"]
    assert number_answers(answers) == [0, 0, 0, 1, 0, 1]


def test_no_answer_does_not_vote():
    assert number_answers(["", "7", "  ", "7.0"]) == [None, 0, None, 0]


def test_what_cannot_be_compared_is_told_apart_by_its_text():
    assert number_answers([r"\frac{", r"\frac{", "{]"]) == [0, 0, 1]


def test_numbers_count_up_without_gaps():
    assert number_answers([str(n // 2) for n in range(200)]) == [n // 2 for n in range(200)]
