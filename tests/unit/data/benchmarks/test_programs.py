"""Programs: the prompts and tests of HumanEval and MBPP."""

import json

import pytest

from reasonrl.data.benchmarks import load_benchmark
from reasonrl.errors import DataError
from reasonrl.types import Kind

OPENING = 'import math\n\ndef half(x):\n    """Return half of x."""\n'


def loaded(tmp_path, name, *rows):
    path = tmp_path / f"{name}.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return load_benchmark(name, path=path)


def test_a_problem_of_humaneval_shows_the_opening_and_keeps_it_for_the_tests(tmp_path):
    row = {"prompt": OPENING, "entry_point": "half", "test": "def check(candidate): ..."}
    [problem] = loaded(tmp_path, "humaneval", row)
    assert problem.kind is Kind.CODE
    assert OPENING.rstrip() in problem.prompt[0].content
    assert json.loads(problem.answer) == {
        "test_code": "def check(candidate): ...", "entry_point": "half", "import_prefix": OPENING,
    }  # fmt: skip


def test_only_the_test_split_of_mbpp_is_read(tmp_path):
    """Its ids are 11 to 510; the others are for prompts, validation and training."""
    rows = [
        {"task_id": number, "text": "Add.", "test_list": [f"assert f() == {number}"]}
        for number in (10, 11, 510, 511)
    ]
    problems = loaded(tmp_path, "mbpp", *rows)
    assert [json.loads(problem.answer)["assert_case"] for problem in problems] == [
        ["assert f() == 11"], ["assert f() == 510"],
    ]  # fmt: skip
    assert "assert f() == 11" in problems[0].prompt[0].content


@pytest.mark.parametrize("cases", [None, "assert f()", [1]])
def test_a_problem_of_mbpp_without_assertions_is_refused(cases, tmp_path):
    row = {"task_id": 11, "text": "Add.", "test_list": cases}
    with pytest.raises(DataError, match="no test_list"):
        loaded(tmp_path, "mbpp", row)
