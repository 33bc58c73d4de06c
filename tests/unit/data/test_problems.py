"""Laws of loading problem files: what is accepted, and what each error says."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reasonrl.data.problems import load_problems
from reasonrl.errors import DataError
from reasonrl.types import Kind, Message, Problem

AIME = Path(__file__).resolve().parents[3] / "../shared/data/aime"
GOOD = {"id": "p1", "prompt": "What is 1 + 1?", "answer": "2"}
RELEASED = {
    "data_source": "train-math-deepscaler",
    "prompt": [{"content": "Find x.", "role": "user"}],
    "ability": "math",
    "reward_model": {"ground_truth": '["15625"]', "style": "rule"},
    "extra_info": {"index": 7, "model_difficulty": {"R1-1.5B": 3, "R1-7B": 16}},
}


def write(folder: Path, *lines: object, name: str = "rows.jsonl") -> Path:
    """Write rows as JSON lines; a string is written as it is."""
    path = folder / name
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def failure(path: Path) -> DataError:
    """Return the error of loading `path`; every one must have all four parts."""
    with pytest.raises(DataError) as caught:
        load_problems(path)
    error = caught.value
    assert error.what
    assert error.where
    assert error.expected
    assert error.remedy
    return error


def loaded(folder: Path, **changes: object) -> Problem:
    return load_problems(write(folder, {**GOOD, **changes}))[0]


def test_a_plain_row_becomes_a_math_problem_with_one_user_turn(tmp_path: Path) -> None:
    assert load_problems(write(tmp_path, GOOD)) == [
        Problem(id="p1", prompt=(Message(role="user", content="What is 1 + 1?"),), answer="2")
    ]


def test_optional_keys_of_a_plain_row_are_kept(tmp_path: Path) -> None:
    problem = loaded(tmp_path, kind="code", source="mine", difficulty={"tiny": 4})
    assert (problem.kind, problem.source, problem.difficulty) == (Kind.CODE, "mine", {"tiny": 4})


def test_a_list_of_turns_keeps_their_order_and_roles(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi?"}]
    prompt = loaded(tmp_path, prompt=turns).prompt
    assert [(m.role, m.content) for m in prompt] == [("system", "Be brief."), ("user", "Hi?")]


@pytest.mark.parametrize(
    "text", ["0.10", "-7", "1e400", "123456789012345678901234567890", "2.50E3"]
)
def test_a_number_as_answer_keeps_its_exact_json_text(tmp_path: Path, text: str) -> None:
    row = f'{{"id": "p1", "prompt": "q", "answer": {text}}}'
    assert load_problems(write(tmp_path, row))[0].answer == text


def test_a_list_of_accepted_answers_becomes_a_json_list_of_strings(tmp_path: Path) -> None:
    row = '{"id": "p1", "prompt": "q", "answer": ["1/2", 0.50, "½"]}'
    assert load_problems(write(tmp_path, row))[0].answer == '["1/2", "0.50", "½"]'


def test_a_row_of_the_released_schema_keeps_its_ground_truth_and_difficulty(tmp_path: Path) -> None:
    problem = load_problems(write(tmp_path, RELEASED))[0]
    assert problem == Problem(
        id="train-math-deepscaler-7",
        prompt=(Message(role="user", content="Find x."),),
        answer='["15625"]',
        kind=Kind.MATH,
        source="train-math-deepscaler",
        difficulty={"R1-1.5B": 3, "R1-7B": 16},
        extra=problem.extra,
    )
    assert problem.extra["extra_info"]["index"] == 7


def test_a_released_row_without_index_is_named_by_its_id_as_in_aime25(tmp_path: Path) -> None:
    problems = load_problems(write(tmp_path, {**RELEASED, "extra_info": {"id": 4}}))
    assert problems[0].id == "train-math-deepscaler-4"


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "parquet"])
def test_every_file_type_gives_the_same_problems(tmp_path: Path, kind: str) -> None:
    rows = [{**GOOD, "id": f"p{i}", "source": "s" if i else None} for i in range(3)]
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    else:
        path.write_text(json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows)))
    assert load_problems(path) == load_problems(write(tmp_path, *rows, name="reference.jsonl"))


def test_a_released_parquet_file_with_structs_loads(tmp_path: Path) -> None:
    path = tmp_path / "released.parquet"
    pq.write_table(pa.Table.from_pylist([RELEASED]), path)
    assert load_problems(path) == load_problems(write(tmp_path, RELEASED))


@pytest.mark.parametrize(
    ("name", "first_answer", "answer_19"),
    [("aime24", "204", "080"), ("aime25", "70", "336^\\circ")],
)
def test_the_real_aime_files_load_with_answers_unchanged(
    name: str, first_answer: str, answer_19: str
) -> None:
    path = AIME / f"{name}.parquet"
    if not path.is_file():
        pytest.skip("the shared AIME files are not beside this checkout")
    problems = load_problems(path)
    assert [p.id for p in problems] == [f"test-math-{name}-{i}" for i in range(30)]
    expected_19 = next(p for p in problems if p.id.endswith("-19")).answer
    assert (problems[0].answer, expected_19) == (first_answer, answer_19)


def test_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeff" + json.dumps(GOOD), "", {**GOOD, "id": "p2"}, "  ")
    assert [p.id for p in load_problems(path)] == ["p1", "p2"]


BAD_ROWS = [
    ('{"id": "p1", ', "not JSON"),
    ('{"id": "p1", "prompt": "q", "answer": NaN}', "NaN"),
    ("[" * 100_000, "nested too deeply"),
    ("[1, 2]", "a list"),
    ({"id": "p1", "answer": "2"}, "prompt"),
    ({**GOOD, "prompt": " "}, "prompt"),
    ({**GOOD, "prompt": []}, "prompt"),
    ({**GOOD, "prompt": 5}, "prompt is a number"),
    ({**GOOD, "prompt": [{"role": "user"}]}, "keys role"),
    ({**GOOD, "prompt": [{"role": "usr", "content": "q"}]}, "role"),
    ({**GOOD, "prompt": ["q"]}, "turn"),
    ({"id": "p1", "prompt": "q"}, "answer"),
    ({**GOOD, "answer": ""}, "answer"),
    ({**GOOD, "answer": None}, "answer"),
    ({**GOOD, "answer": []}, "answer"),
    ({**GOOD, "answer": ["2", " "]}, "answer"),
    ({**GOOD, "answer": True}, "answer is true or false"),
    ({**GOOD, "answer": {"x": 1}}, "answer is an object"),
    ({**GOOD, "kind": "maths"}, "kind"),
    ({**GOOD, "difficulty": {"tiny": 17}}, "difficulty"),
    ({**GOOD, "difficulty": {"tiny": 1.5}}, "difficulty"),
    ({**GOOD, "difficulty": 3}, "difficulty"),
    ('{"id": "p1", "prompt": "\\ud800", "answer": "2"}', "surrogate"),
    ({**RELEASED, "reward_model": {}}, "reward_model.ground_truth"),
    ({**RELEASED, "extra_info": None}, "extra_info"),
    ({**RELEASED, "extra_info": {"split": "x"}}, "extra_info.index"),
    ({**RELEASED, "ability": "chess"}, "ability"),
]


@pytest.mark.parametrize(("row", "named"), BAD_ROWS)
def test_a_bad_row_is_reported_with_its_line_and_what_is_wrong(
    tmp_path: Path, row: object, named: str
) -> None:
    path = write(tmp_path, {**GOOD, "id": "p0"}, row)
    error = failure(path)
    assert error.where == f"{path}:2"
    assert named in error.what


def test_bad_rows_are_counted_and_the_first_is_shown(tmp_path: Path) -> None:
    error = failure(write(tmp_path, GOOD, "{", {**GOOD, "id": "p2"}, "nonsense", {"id": "p3"}))
    assert error.where.endswith(":2")
    assert "the first of 3 bad rows in 5" in error.what


@pytest.mark.parametrize(
    ("key", "meant"), [("promt", "prompt"), ("Answer", "answer"), ("question", "prompt")]
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    tmp_path: Path, key: str, meant: str
) -> None:
    row = {name: value for name, value in GOOD.items() if name != meant}
    error = failure(write(tmp_path, {**row, key: "x"}))
    assert f'"{key}"' in error.what
    assert error.remedy.startswith(f'did you mean "{meant}"?')
    assert f'fields = {{ {meant} = "{key}" }}' in error.remedy


def test_other_columns_are_kept_for_rewards(tmp_path: Path) -> None:
    row = {**GOOD, "level": 3, "tags": ["a", 0.5], "question": "the same again"}
    (problem,) = load_problems(write(tmp_path, row))
    assert problem.extra == {"level": 3, "tags": ["a", 0.5], "question": "the same again"}


def test_a_row_without_an_id_gets_the_hash_of_prompt_and_answer(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "answer": "2"}, {"prompt": "q", "answer": "3"}]
    first, second, third = load_problems(write(tmp_path, *rows, rows[0]))
    assert len(first.id) == len(second.id) == 16
    assert first.id != second.id
    assert third.id == f"{first.id}-2"
    assert load_problems(write(tmp_path, *rows[::-1]))[1].id == first.id


def test_a_repeated_id_names_the_row_it_repeats(tmp_path: Path) -> None:
    error = failure(write(tmp_path, GOOD, {**GOOD, "id": "p2"}, GOOD))
    assert error.where.endswith(":3")
    assert "repeats row 1" in error.what


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"id": "caf\xe9"}\n')
    error = failure(path)
    assert error.where == f"{path}:2"
    assert "not UTF-8" in error.what


def test_a_utf_16_list_is_not_taken_for_json(tmp_path: Path) -> None:
    path = tmp_path / "wide.json"
    path.write_bytes(json.dumps([GOOD]).encode("utf-16"))
    assert "not UTF-8" in failure(path).what


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, GOOD, name="train.jsonl")
    assert "train.jsonl" in failure(tmp_path / "trian.jsonl").remedy


@pytest.mark.parametrize("name", ["rows.tsv", "rows", "rows.json.gz"])
def test_an_unknown_extension_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    assert ".parquet" in failure(write(tmp_path, GOOD, name=name)).expected


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_file_without_rows_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("[]" if name.endswith("json") else "\n\n")
    assert failure(path).what == "no rows"


def test_a_directory_is_not_a_file_of_problems(tmp_path: Path) -> None:
    assert failure(tmp_path).what == "the folder holds no file of rows"


def test_a_folder_of_one_split_is_read_as_one_file(tmp_path: Path) -> None:
    write(tmp_path, GOOD, name="train-0.jsonl")
    write(tmp_path, {**GOOD, "id": "p2"}, name="train-1.jsonl")
    assert [problem.id for problem in load_problems(tmp_path)] == ["p1", "p2"]
    write(tmp_path, {**GOOD, "id": "p3"}, name="test.jsonl")
    assert "several splits" in failure(tmp_path).what
    assert [problem.id for problem in load_problems(tmp_path, split="test")] == ["p3"]


def test_a_csv_file_has_a_header_and_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('id,prompt,answer,level\np1,"1, 2?",3,\np2,"a ""b""",0.10,5\n')
    first, second = load_problems(path)
    assert (first.prompt[0].content, first.answer, first.extra) == ("1, 2?", "3", {})
    assert (second.prompt[0].content, second.answer) == ('a "b"', "0.10")
    assert second.extra == {"level": "5"}
    path.write_text("id,prompt,answer\np1,q,1,2\n")
    assert "more or fewer fields" in failure(path).what


def test_a_json_file_must_hold_a_list(tmp_path: Path) -> None:
    assert "not a list" in failure(write(tmp_path, GOOD, name="one.json")).what


@pytest.mark.parametrize("name", ["torn.jsonl.gz", "torn.parquet"])
def test_a_torn_file_is_an_error_and_not_a_shorter_data_set(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(json.dumps(GOOD).encode() * 99)[:-12])
    else:
        pq.write_table(pa.Table.from_pylist([GOOD]), path)
        path.write_bytes(path.read_bytes()[:-12])
    error = failure(path)
    assert error.where == str(path)
    assert "cannot be read" in error.what


def test_long_prompts_and_long_numbers_load(tmp_path: Path) -> None:
    digits = "7" * 10_000  # past Python's limit of 4,300 for int(text)
    row = f'{{"id": "p1", "prompt": "{"x" * 3_000_000}", "answer": {digits}}}'
    problem = load_problems(write(tmp_path, row))[0]
    assert (len(problem.prompt[0].content), problem.answer) == (3_000_000, digits)


def test_an_error_stays_short_whatever_the_row_holds(tmp_path: Path) -> None:
    assert len(str(failure(write(tmp_path, {"id": 1, "answr" + "k" * 100_000: 1})))) < 1_000


def test_importing_problems_loads_neither_pyarrow_nor_torch() -> None:
    code = (
        "import sys, reasonrl.data.problems; "
        "sys.exit(bool({'pyarrow', 'torch', 'reasoning_gym'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
