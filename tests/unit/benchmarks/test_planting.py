"""Altered copies of real problems: what each kind changes, and what it leaves alone."""

import difflib
import json
import re
from random import Random

import pytest
from benchmarks import planting
from benchmarks.planting import KINDS, plant

SOURCES = ("math", "aime", "gsm8k")
COPIES = 60


@pytest.fixture(scope="module", params=SOURCES)
def problems(request, shared_data):
    if request.param == "gsm8k":
        lines = (shared_data / "gsm8k" / "train.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return [(row["question"], row["answer"].rpartition("#### ")[2]) for row in rows]
    rows = json.loads((shared_data / "math" / f"train_math_{request.param}.json").read_text())
    return [(row["problem"], row["answer"]) for row in rows]


def pairs(problems, kind):
    return [
        (problems[copy.original][0], copy.text) for copy in plant(problems, kind, COPIES, seed=3)
    ]


def digits(text):
    return re.findall(r"\d", text)


def words_changed(before, after):
    """Count the words of either text that the other has not in their place."""
    before, after = before.split(), after.split()
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for step, a, b, c, d in steps if step != "equal")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_as_many_copies_as_asked_for_of_different_problems(problems, kind):
    planted = plant(problems, kind, COPIES, seed=1)
    assert len({copy.original for copy in planted}) == len(planted) == COPIES
    assert {copy.kind for copy in planted} == {kind}
    assert all(copy.text != problems[copy.original][0] for copy in planted)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_the_same_copies_and_another_one_others(problems, kind):
    planted = plant(problems, kind, 20, seed=1)
    assert planted == plant(problems, kind, 20, seed=1)
    assert planted != plant(problems, kind, 20, seed=2)


@pytest.mark.parametrize("kind", ["verbatim", "latex", "relabelled", "reworded"])
def test_a_copy_that_asks_the_same_has_the_same_answer(problems, kind):
    assert all(
        copy.answer == problems[copy.original][1] for copy in plant(problems, kind, 20, seed=1)
    )


def test_a_lookalike_has_another_answer_and_a_renumbered_problem_none(problems):
    lookalikes = plant(problems, "lookalike", COPIES, seed=1)
    assert all(copy.answer not in ("", problems[copy.original][1]) for copy in lookalikes)
    assert {copy.answer for copy in plant(problems, "renumbered", 20, seed=1)} == {""}


def test_verbatim_keeps_every_letter_and_digit(problems):
    for before, after in pairs(problems, "verbatim"):
        assert re.findall(r"[^\W_]", after) == re.findall(r"[^\W_]", before)


@pytest.mark.parametrize("kind", ["latex", "reworded"])
def test_numbers_stay_in_their_order(problems, kind):
    for before, after in pairs(problems, kind):
        assert digits(after) == digits(before)


def test_other_typesetting_leaves_braces_and_dollars_paired(problems):
    for before, after in pairs(problems, "latex"):
        typeset = re.sub(r"\\\\|\\[{}$]", "", planting.DRAWING.sub("", after))
        assert typeset.count("{") == typeset.count("}"), before
        assert typeset.count("$") % 2 == 0, before
        assert typeset.count(r"\left(") == typeset.count(r"\right)"), before
        assert typeset.count(r"\(") == typeset.count(r"\)"), before


def test_a_label_stands_before_or_after_the_whole_problem(problems):
    assert all(before in after for before, after in pairs(problems, "relabelled"))


def test_renumbering_changes_half_of_the_numbers_and_no_word(problems):
    for before, after in pairs(problems, "renumbered"):
        assert re.findall(r"[^\d]+", after) == re.findall(r"[^\d]+", before)
        numbers = [re.findall(r"\d[\d.,]*\d|\d", text) for text in (before, after)]
        changed = sum(old != new for old, new in zip(*numbers, strict=True))
        assert changed >= max(1, 0.4 * len(numbers[0]))  # (1,2) is two numbers, and one here


def test_rewording_changes_two_words_or_more_and_far_from_all(problems):
    for before, after in pairs(problems, "reworded"):
        assert 2 <= words_changed(before, after) <= max(4, len(before.split()) / 2)


def test_rewording_leaves_formulas_alone(problems):
    for before, after in pairs(problems, "reworded"):
        if planting.TYPESET.search(before):
            assert planting.FORMULA.findall(after) == planting.FORMULA.findall(before)


def test_a_lookalike_differs_in_few_words(problems):
    for before, after in pairs(problems, "lookalike"):
        assert 1 <= words_changed(before, after) <= 4


def test_drawings_stay_as_they_are():
    drawing = '[asy] draw((0,0)--(4,3)); label("$4$", (2,0)); // the sum of it\n[/asy]'
    text = f"Find the sum of all $x$ such that $x^2 = 4$ and $x < 3$. {drawing}"
    for kind in ("latex", "relabelled", "reworded", "lookalike"):
        (copy,) = plant([(text, "0")], kind, 1, seed=0)
        assert drawing in copy.text


def test_a_name_is_changed_wherever_it_stands_and_nowhere_within_words():
    text = "Natalia sold 48 clips to Ann. Annual sales of Natalia's are how many? So find the sum."
    for seed in range(20):
        (copy,) = plant([(text, "1")], "reworded", 1, seed=seed)
        assert "Annual sales" in copy.text
        assert copy.text.count("Natalia") in (0, 2)


@pytest.mark.parametrize(
    ("numeral", "like"),
    [
        ("100", r"1[1-5]0"),
        ("1,500", r"[12],\d00"),
        (".50", r"\.[2-9]0"),
        ("7", r"[4-9]"),
        ("0", "0"),
    ],
)
def test_a_new_number_is_as_long_and_as_round(numeral, like):
    for seed in range(20):
        new = planting.of_similar_size(numeral, Random(seed))
        assert re.fullmatch(like, new)
        assert (new == numeral) == (numeral == "0")


def test_amounts_of_money_are_no_formulas():
    assert not planting.TYPESET.search("A pen costs $5 and a book $6. How much do $20 buy?")
    assert planting.TYPESET.search("What is $3+5$?")


def test_escaped_dollars_open_no_formula():
    text = r"Pay \$$5$ or \$$6$ for $x$ pens."
    assert planting.FORMULA.findall(text) == ["$5$", "$6$", "$x$"]


def test_too_few_problems_are_refused():
    with pytest.raises(ValueError, match="only 0 of these problems can be lookalike, not 1"):
        plant([("Who?", "1")], "lookalike", 1, seed=0)
