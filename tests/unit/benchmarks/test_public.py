"""Public pairs: what is read from other packages, and what computer algebra makes of a key."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from benchmarks.public_pairs import Key, Pair, grader_pairs
from benchmarks.public_rewrites import near_misses, read, right_pairs, wrong_pairs
from benchmarks.verify_public import by_reasonrl, row_of

TESTS = r"""
import pytest

@pytest.mark.parametrize("gold, pred, expected", [
    (r"$4$", r"$\frac{8}{2}$", 1),
    ("4", "The answer is 4.", 1),
    ("$5$", r"So \boxed{4} and no more.", 0),
    (r"$1,2$", r"\boxed{1} and \boxed{2}", 1),
])
def test_pairs(gold, pred, expected): ...

@pytest.mark.parametrize("gold, pred, strict, expected", [("$x$", "$y$", False, 1)])
def test_options(gold, pred, strict, expected): ...
"""

EQUIVALENCES = """
@pytest.mark.parametrize("answer", [pytest.param("2", id="integer")])
def test_itself(answer):
    assert is_equiv(answer, answer)

def test_others():
    assert not is_equiv("(2,4)", "(4,2)")
    assert norm("0,1") == "0,1"
"""


def archive(folder: Path, name: str, path: str, text: str) -> None:
    with tarfile.open(folder / name, "w:gz") as tar:
        member = tarfile.TarInfo(path)
        member.size = len(text.encode())
        tar.addfile(member, io.BytesIO(text.encode()))


def value(text: str, number: int = 0, family: str = ""):
    found = read(Key(id=f"k{number}", family=family, text=text))
    assert found is not None
    return found


def test_the_tests_of_a_grader_are_read_with_their_labels_and_never_run(tmp_path: Path) -> None:
    archive(tmp_path, "math_verify-1.tar.gz", "math_verify-1/tests/test_a.py", TESTS)
    archive(tmp_path, "lm_eval-1.tar.gz", "lm_eval-1/tests/test_minerva_math.py", EQUIVALENCES)

    sets, n_left_out = grader_pairs(tmp_path)

    assert n_left_out == 1
    pairs = {
        name: [(p.gold, p.response, p.is_right) for p in found] for name, found in sets.items()
    }
    assert pairs == {
        "math-verify's tests, one box": [
            ("4", r"\boxed{\frac{8}{2}}", True),
            ("5", r"So \boxed{4} and no more.", False),
        ],
        "math-verify's tests, several boxes": [("1,2", r"\boxed{1} and \boxed{2}", True)],
        "lm-eval's tests": [
            ("2", r"\boxed{2}", True),
            ("(2,4)", r"\boxed{(4,2)}", False),
        ],
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\frac34", ["3/4"]),
        (r"\left( 3, \frac{\pi}{2} \right)", ["3", "pi/2"]),
        ("2x^2 - 2", ["2*x**2 - 2"]),
        (r"-3\sqrt[3]{2}", ["-3*2**(1/3)"]),
        ("1,234.5", None),
        ("12,345", ["12345"]),
    ],
)
def test_a_key_is_read_as_sympy_reads_its_mathematics(text: str, shown: list[str] | None) -> None:
    found = read(Key(id="k", family="", text=text))

    assert (found and [str(part) for part in found.parts]) == shown


@pytest.mark.parametrize(
    "text",
    ["A", "ABC", "5\\text{ cm}", "1\\frac12", "(100,101)", "e^2", "2i", "x=5", "1/0", "2^{99}"],
)
def test_a_key_that_could_mean_something_else_is_not_read(text: str) -> None:
    assert read(Key(id="k", family="", text=text)) is None


def test_forms_keep_the_value_and_slips_change_it() -> None:
    values = [value(text) for text in (r"\frac{3}{4}", "1234", r"2-\sqrt{3}", "(1, 2x)")]

    for pair in right_pairs(values):
        inner = pair.response.removeprefix(r"\boxed{")[:-1]
        again = read(Key(id="k", family="", text=inner))
        if again is not None:
            assert [a.equals(b) for a, b in zip(again.parts, value(pair.gold).parts, strict=True)]
    slips = list(near_misses(values))
    assert {pair.gold for pair in slips} == {v.key.text for v in values}
    assert by_reasonrl(slips) == [False] * len(slips)


def test_only_unequal_keys_of_one_family_and_shape_are_set_side_by_side() -> None:
    texts = ["1/2", "0.5", r"\frac{2}{4}", r"\frac23", "3", "4"]
    values = [value(text, n, "algebra") for n, text in enumerate(texts)]
    values.append(value("5", 9, "geometry"))

    pairs = {(pair.gold, pair.response) for pair in wrong_pairs(values)}

    assert pairs == {
        ("1/2", r"\boxed{\frac23}"),
        (r"\frac{2}{4}", r"\boxed{\frac23}"),
        ("3", r"\boxed{4}"),
    }


def test_a_masked_answer_is_neither_right_nor_wrong_and_counts_as_inaccurate() -> None:
    pairs = [Pair(origin="", gold="1", response="", is_right=right) for right in (True, False)]

    row = row_of("set", pairs, {"reasonrl": [None, False], "math-verify": [False, True]})

    assert (row["reasonrl: accuracy"], row["FN"], row["FP"], row["masked"]) == ("0.5000", 0, 0, 1)
    assert (row["math-verify: accuracy"], row["its FN"], row["its FP"]) == ("0.0000", 1, 1)
