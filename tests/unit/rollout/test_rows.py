"""Rows as people have them: five published schemas, columns by name, templates, filters, boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasonrl.errors import DataError
from reasonrl.recipe import FileSource, HubSource
from reasonrl.rollout.pools import load_source
from reasonrl.types import Kind, Problem


def write(folder: Path, *rows: object, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def load(path: Path, **settings: Any) -> list[Problem]:
    if template := settings.get("prompt_template"):
        file = path.with_name("prompt.txt")
        file.write_text(template)
        settings["prompt_template"] = file
    return load_source(FileSource(type="file", path=path, **settings))


GSM8K = {"question": "1 + 1?", "answer": "1 + 1 = <<1+1=2>>2\n#### 2"}
MATH = {"problem": "1 + 1?", "level": "Level 1", "type": "Algebra", "solution": r"So $\boxed{2}$."}
DAPO = {
    "data_source": "math_dapo", "prompt": [{"role": "user", "content": "1 + 1?"}],
    "ability": "MATH", "reward_model": {"ground_truth": "2", "style": "rule-lighteval/MATH_v2"},
    "extra_info": {"index": "9a9b6eb4-a1cb-49d1-8c1e-62eaf2f74079"},
}  # fmt: skip
DEEPSCALER = {"problem": "1 + 1?", "answer": "2", "solution": "Count."}
OR1 = {
    "data_source": "train-math", "prompt": [{"role": "user", "content": "1 + 1?"}],
    "ability": "math", "reward_model": {"ground_truth": '["2"]', "style": "rule"},
    "extra_info": {"index": 7, "model_difficulty": {"m": 3}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "settings", "answer"),
    [
        (GSM8K, {"fields": {"prompt": "question"}, "answer_after": "####"}, "2"),
        (MATH, {"fields": {"prompt": "problem", "answer": "solution"},
                "answer_after": "\\boxed"}, "2"),
        (DAPO, {}, "2"),
        (DEEPSCALER, {"fields": {"prompt": "problem"}}, "2"),
        (OR1, {}, '["2"]'),
    ],
    ids=["gsm8k", "math", "dapo", "deepscaler", "or1"],
)  # fmt: skip
def test_the_five_published_schemas(
    tmp_path: Path, row: dict[str, Any], settings: dict[str, Any], answer: str
) -> None:
    (problem,) = load(write(tmp_path, row), **settings)
    assert [turn.content for turn in problem.prompt] == ["1 + 1?"]
    assert problem.answer == answer
    assert problem.kind is Kind.MATH


def test_columns_that_nobody_named_are_kept(tmp_path: Path) -> None:
    (problem,) = load(
        write(tmp_path, {**MATH, "difficulty": 2.5, "meta": {"year": 1999, "n": [1]}}),
        fields={"prompt": "problem", "answer": "meta.year", "id": "meta.n.0"},
    )
    assert (problem.id, problem.answer) == ("1", "1999")
    assert problem.extra == {
        "level": "Level 1", "type": "Algebra", "solution": MATH["solution"], "difficulty": 2.5,
    }  # fmt: skip


def test_a_template_fills_in_columns(tmp_path: Path) -> None:
    (problem,) = load(
        write(tmp_path, {**DEEPSCALER, "level": 3, "meta": {"unit": "m"}}),
        fields={"prompt": "problem"},
        prompt_template="Level {level} {{in {meta.unit}}}:\n{prompt} {problem}\n",
    )
    assert problem.prompt[0].content == "Level 3 {in m}:\n1 + 1? 1 + 1?"


@pytest.mark.parametrize(
    ("template", "said"),
    [("{nothing}", 'no column "nothing"'), ("a { b", "a single '{'"), ("a } b", "a single '}'"),
     ("{}", "a single '{'"), ("{problem.__class__}", 'no column "problem.__class__"')],
)  # fmt: skip
def test_a_template_that_cannot_be_filled_is_refused(
    tmp_path: Path, template: str, said: str
) -> None:
    with pytest.raises(DataError, match=said.replace("{", r"\{")):
        load(write(tmp_path, DEEPSCALER), fields={"prompt": "problem"}, prompt_template=template)


def test_braces_of_a_row_are_no_slots(tmp_path: Path) -> None:
    row = {**DEEPSCALER, "problem": r"\frac{1}{2} {level} {{x}}"}
    (problem,) = load(
        write(tmp_path, row), fields={"prompt": "problem"}, prompt_template="{prompt}"
    )
    assert problem.prompt[0].content == row["problem"]


@pytest.mark.parametrize(
    ("where", "n"),
    [({"level": 3}, 1), ({"level": (3, 4)}, 2), ({"level": "3"}, 1), ({"ok": True}, 2),
     ({"level": (3, 4), "ok": True}, 1), ({"meta.a": "x"}, 3), ({"level": 3.0}, 1)],
)  # fmt: skip
def test_where_keeps_rows(tmp_path: Path, where: dict[str, Any], n: int) -> None:
    rows = [
        {**DEEPSCALER, "level": level, "ok": ok, "meta": {"a": "x"}, "id": number}
        for number, (level, ok) in enumerate([(3, True), (4, False), (5, True)])
    ]
    assert len(load(write(tmp_path, *rows), fields={"prompt": "problem"}, where=where)) == n


def test_where_that_leaves_nothing_and_a_wrong_column_are_errors(tmp_path: Path) -> None:
    path = write(tmp_path, DEEPSCALER)
    with pytest.raises(DataError, match="widen `where`"):
        load(path, fields={"prompt": "problem"}, where={"answer": "3"})
    with pytest.raises(
        DataError, match=r'no column "levl".*; expected one of problem, answer, sol'
    ):
        load(path, fields={"prompt": "problem"}, where={"levl": 3})
    with pytest.raises(DataError, match='no column "question"'):
        load(path, fields={"prompt": "question"})


def test_tests_make_a_problem_of_code(tmp_path: Path) -> None:
    row = {"question": "Double it.", "io": {"inputs": ["1\n"], "outputs": ["2\n"]}}
    (problem,) = load(write(tmp_path, row), fields={"prompt": "question", "tests": "io"})
    assert problem.kind is Kind.CODE
    assert json.loads(problem.answer) == row["io"]


def test_an_answer_without_its_mark_is_named_by_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, GSM8K, {"question": "?", "answer": "4"})
    with pytest.raises(DataError, match='nothing behind "####"') as caught:
        load(path, fields={"prompt": "question"}, answer_after="####")
    assert caught.value.where == f"{path}:2"
    path = write(tmp_path, {**MATH, "solution": r"\boxed{2"})
    with pytest.raises(DataError, match="no complete box in the answer"):
        load(path, fields={"prompt": "problem", "answer": "solution"}, answer_after="\\boxed")


def test_without_a_verifier_a_row_needs_no_answer(tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "Write a poem.", "style": "short"})
    source = FileSource(type="file", path=path)
    with pytest.raises(DataError, match="missing or empty answer"):
        load_source(source)
    (problem,) = load_source(source, is_keyed=False)
    assert (problem.answer, problem.extra) == ("", {"style": "short"})


def test_a_local_data_set_of_the_hub_is_loaded_by_split(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    write(tmp_path, GSM8K, {**GSM8K, "question": "2 + 2?"}, name="train.jsonl")
    write(tmp_path, GSM8K, name="test.jsonl")
    settings = {"fields": {"prompt": "question"}, "answer_after": "####"}
    source = HubSource(type="hub", repository=str(tmp_path), split="train", **settings)
    assert [problem.answer for problem in load_source(source)] == ["2", "2"]
    wrong = HubSource(type="hub", repository=str(tmp_path), split="dev", **settings)
    with pytest.raises(DataError, match=r"cannot be loaded: .*check repository, config, split"):
        load_source(wrong)


def test_gsm8k_as_published(shared_data: Path) -> None:
    problems = load(
        shared_data / "gsm8k" / "train.jsonl",
        fields={"prompt": "question", "answer": "answer"},
        answer_after="####",
    )
    assert len(problems) == len({problem.id for problem in problems}) == 7473


def test_repeats_behind_a_mark_are_numbered_and_a_column_named_extra_is_a_column(
    tmp_path: Path,
) -> None:
    rows = [{**GSM8K, "extra": {"n": 1}, "other": 2}] * 2
    first, second = load(write(tmp_path, *rows), fields={"prompt": "question"}, answer_after="####")
    assert second.id == f"{first.id}-2"
    assert first.extra == {"extra": {"n": 1}, "other": 2}
    (plain,) = load(write(tmp_path, {"prompt": "q", "answer": "4", "extra": {"n": 1}, "other": 2}))
    assert plain.extra == {"extra": {"n": 1}, "other": 2}


def test_a_null_in_a_template_is_no_word(tmp_path: Path) -> None:
    path = write(tmp_path, {**DEEPSCALER, "hint": None})
    with pytest.raises(DataError, match="a column of the prompt template is null"):
        load(path, fields={"prompt": "problem"}, prompt_template="{problem} {hint}")
