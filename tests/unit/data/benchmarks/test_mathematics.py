"""Mathematics: the forms of rows that published copies have."""

import json

import pytest

from reasonrl.data.benchmarks import load_benchmark
from reasonrl.data.benchmarks.adapter import BOXED
from reasonrl.errors import DataError


def loaded(tmp_path, name, row, style="bare"):
    path = tmp_path / f"{name}.jsonl"
    path.write_text(json.dumps(row))
    [problem] = load_benchmark(name, path=path, style=style)
    return problem


@pytest.mark.parametrize(
    "row",
    [
        {"problem": "Find x.", "answer": "007"},
        {"Problem": "Find x.", "Answer": "007"},
        {"question": "Find x.", "answer": "007"},
        {"prompt": [{"role": "user", "content": f"Find x. {BOXED}"}],
         "reward_model": {"ground_truth": "007"}},
    ],
)  # fmt: skip
def test_every_published_form_of_aime_gives_the_same_problem(row, tmp_path):
    problem = loaded(tmp_path, "aime24", row)
    assert problem.prompt[0].content == "Find x."
    assert (problem.id, problem.answer) == ("aime24-0", "007")


def test_the_instruction_is_added_after_the_text(tmp_path):
    row = {"problem": "Find x.", "answer": "7"}
    asked = loaded(tmp_path, "aime25", row, style="instruction")
    assert asked.prompt[0].content == f"Find x. {BOXED}"
    assert loaded(tmp_path, "aime25", row, style="report").prompt[0].content == "Find x."


def test_the_answer_of_gsm8k_is_the_number_after_the_mark(tmp_path):
    row = {"question": "How many?", "answer": "500 + 734 = 1,234\n#### 1,234"}
    assert loaded(tmp_path, "gsm8k", row).answer == "1234"


def test_a_solution_of_gsm8k_without_the_mark_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"gsm8k\.jsonl:1: an answer without ####"):
        loaded(tmp_path, "gsm8k", {"question": "How many?", "answer": "1,234"})
