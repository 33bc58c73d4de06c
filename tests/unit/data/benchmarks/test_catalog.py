"""The benchmarks of the catalog: the problems of their files, and copies that are refused."""

import ast
import json

import pytest

from reasonrl.data.benchmarks import BENCHMARKS, load_benchmark
from reasonrl.data.benchmarks.adapter import BOXED
from reasonrl.data.files import read_rows
from reasonrl.errors import DataError
from reasonrl.types import Kind, Status
from reasonrl.verify import Verifier, VerifyItem

COUNTS = {"aime24": 30, "aime25": 30, "math500": 500, "gsm8k": 1319, "humaneval": 164, "mbpp": 500}


@pytest.mark.parametrize("name", COUNTS)
def test_a_benchmark_is_read_as_it_lies_in_the_data_folder(name, shared_data):
    problems = load_benchmark(name, path=shared_data)
    assert len(problems) == COUNTS[name]
    assert len({problem.id for problem in problems}) == len(problems)
    assert {problem.kind for problem in problems} == {BENCHMARKS[name].kind}


@pytest.mark.parametrize("name", [name for name in COUNTS if BENCHMARKS[name].kind is Kind.MATH])
def test_every_answer_key_accepts_itself_in_a_box(name, shared_data):
    problems = load_benchmark(name, path=shared_data)
    with Verifier() as verifier:
        verdicts = verifier.verify_batch(
            [
                VerifyItem(task=problem.task, response=f"\\boxed{{{problem.answer}}}")
                for problem in problems
            ]
        )
    assert {verdict.status for verdict in verdicts} == {Status.CORRECT}


@pytest.mark.parametrize(
    ("name", "style", "is_asked"),
    [
        ("aime24", "report", True), ("aime25", "report", False), ("gsm8k", "report", True),
        ("aime24", "bare", False), ("aime25", "instruction", True), ("math500", "bare", False),
    ],
)  # fmt: skip
def test_the_style_says_who_is_asked_for_a_box(name, style, is_asked, shared_data):
    for problem in load_benchmark(name, path=shared_data, style=style):
        assert problem.prompt[0].content.count(BOXED) == is_asked
        assert problem.prompt[0].content == problem.prompt[0].content.strip()


def test_the_reports_own_prompts_are_kept_to_the_letter(shared_data):
    for name in ("aime24", "aime25"):
        [path] = (shared_data / "aime").glob(f"{name}.parquet")
        rows = [row["prompt"][0]["content"] for _, row in read_rows(path)]
        assert [problem.prompt[0].content for problem in load_benchmark(name, path=path)] == rows


@pytest.mark.slow
def test_references_of_humaneval_and_mbpp_pass_through_the_adapters(shared_data):
    """Of HumanEval the function alone: imports and helpers of the prompt are there for it."""
    human = [row for _, row in read_rows(shared_data / "humaneval/HumanEval.jsonl.gz")]
    problems = load_benchmark("humaneval", path=shared_data)
    programs = [
        alone(row["prompt"] + row["canonical_solution"], row["entry_point"]) for row in human
    ]
    rows = [row for _, row in read_rows(shared_data / "mbpp/mbpp.jsonl")]
    tested = [row["code"] for row in rows if 11 <= int(row["task_id"].text) <= 510]
    problems += load_benchmark("mbpp", path=shared_data)[::10]
    programs += tested[::10]
    with Verifier() as verifier:
        verdicts = verifier.verify_batch(
            [
                VerifyItem(task=problem.task, response=f"```python\n{program}\n```")
                for problem, program in zip(problems, programs, strict=True)
            ]
        )
    failed = {
        problem.id: verdict.reason
        for problem, verdict in zip(problems, verdicts, strict=True)
        if verdict.status is not Status.PASS
    }
    assert not failed


def alone(source, name):
    """Return the source of one function alone."""
    tree = ast.parse(source)
    [found] = [node for node in tree.body if getattr(node, "name", "") == name]
    return ast.unparse(found)


def test_another_benchmarks_file_is_refused_with_its_row(shared_data):
    with pytest.raises(DataError, match=r"aime24.parquet:1: no text in answer") as caught:
        load_benchmark("gsm8k", path=shared_data / "aime/aime24.parquet")
    assert "right file" in str(caught.value)


def test_a_directory_without_a_copy_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match="no copy of aime24"):
        load_benchmark("aime24", path=tmp_path)
    with pytest.raises(DataError, match="no such file or directory"):
        load_benchmark("aime24", path=tmp_path / "nowhere")


@pytest.mark.parametrize("other", ["here/aime24.jsonl.gz", "copy/aime24.jsonl"])
def test_two_copies_are_not_taken_together(other, tmp_path):
    for name in ("here/aime24.jsonl", other):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="2 copies of aime24"):
        load_benchmark("aime24", path=tmp_path)


def test_a_copy_that_is_not_whole_is_refused_unless_it_is_named(tmp_path):
    path = tmp_path / "aime24.jsonl"
    path.write_text(json.dumps({"problem": "q", "answer": "1"}))
    with pytest.raises(DataError, match="1 problems of aime24"):
        load_benchmark("aime24", path=tmp_path)
    assert len(load_benchmark("aime24", path=path)) == 1


def test_an_id_of_mbpp_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps({"task_id": "MBPP/11", "text": "q", "test_list": []}))
    with pytest.raises(DataError, match=r"mbpp.jsonl:1: task_id 'MBPP/11'"):
        load_benchmark("mbpp", path=path)
