"""Raw rows of each source, and of none: what they become, and that nothing is lost."""

import gzip
import json
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reasonrl.curation.recipe import RawSource
from reasonrl.curation.rows import Reason, read_dropped, read_kept
from reasonrl.curation.sources.adapters import ADAPTERS
from reasonrl.curation.sources.files import _is_wanted, source_files
from reasonrl.curation.sources.read import ReadJob, read_source
from reasonrl.curation.store import StepFolder
from reasonrl.errors import DataError

TESTS = {"inputs": ["1\n"], "outputs": ["2\n"]}
RELEASED = {
    "data_source": "train-math-still3", "prompt": [{"role": "user", "content": "What is 2?"}],
    "ability": "math", "reward_model": {"ground_truth": '["2"]', "style": "rule"},
    "extra_info": {"index": 7, "model_difficulty": {"m": 3}},
}  # fmt: skip


def read(directory, rows, kind, **settings):
    """Read rows written as JSON lines; a str is written as it is."""
    path = directory / "rows.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    return read_file(directory, path, kind, **settings)


def read_file(directory, path, kind, **settings):
    if kind == "gsm8k":
        settings.setdefault("split", "train")
    source = RawSource(type=kind, path=path, **settings)
    folder = StepFolder(directory / "step")
    folder.begin("x")
    job = ReadJob(folder=folder.directory, number=0, source=source, files=(path,))
    reports = read_source(job)
    kept = [row for report in reports for row in read_kept(folder.kept(report.key))]
    dropped = [row for report in reports for row in read_dropped(folder.dropped(report.key))]
    return kept, dropped, reports


def test_numina(tmp_path):
    row = {"problem": "What is 2?", "solution": "It is \\boxed{2}.", "answer": "2",
           "question_type": "math-word-problem", "source": "olympiads", "problem_is_valid": "Yes",
           "solution_is_valid": "Yes", "synthetic": False}  # fmt: skip
    rows = [
        row,
        row | {"question_type": "proof", "answer": "proof"},
        row | {"question_type": "MCQ"},
        row | {"answer": "notfound"},
        row | {"problem_is_valid": "Incomplete"},
        row | {"source": "cn_k12"},
    ]
    kept, dropped, _ = read(tmp_path, rows, "numina", subsets=("olympiads",))
    (one,) = kept
    assert one.source == "train-math-numinamath1.5_olympiads"
    assert (one.problem, one.answer, one.solution) == ("What is 2?", "2", "It is \\boxed{2}.")
    assert [row.fault.reason for row in dropped] == [
        Reason.PROOF, Reason.MULTIPLE_CHOICE, Reason.EMPTY, Reason.OUT_OF_SCOPE,
        Reason.OUT_OF_SCOPE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "row", "source", "answer"),
    [
        ("deepscaler", {"problem": "P", "answer": "1"}, "train-math-deepscaler", "1"),
        ("still3", {"question": "P", "answer": "1"}, "train-math-still3", "1"),
        ("omni-math", {"problem": "P", "answer": "1", "x": 4}, "train-math-omni-math", "1"),
        ("aime", {"problem": "P", "answer": 60, "year": 1983}, "train-math-aime", "60"),
        ("aime", {"Question": "P", "Answer": "60", "Year": "2023"}, "train-math-aime", "60"),
        ("math", {"problem": "P", "solution": "so \\boxed{3}"}, "train-math-math", "3"),
        ("gsm8k", {"question": "P", "answer": "1+1=<<1+1=2>>2\n#### 2"}, "train-math-gsm8k", "2"),
        ("or1", RELEASED, "train-math-still3", '["2"]'),
    ],
)  # fmt: skip
def test_sources_of_mathematics(tmp_path, kind, row, source, answer):
    (one,), dropped, _ = read(tmp_path, [row], kind)
    assert (one.kind, one.source, one.answer, dropped) == ("math", source, answer, [])


@pytest.mark.parametrize(
    ("solution", "answer", "result"),
    [
        ("He lost $<<300-255=45>>45\nThat is (($45/$300)*100)% = 15% of $300", "15", "15"),
        ("It is 62,300/10 = $6230\nEach would receive $6230.", "6,230", "6,230"),
        ("Kenneth has $50 \u2212 $6 = $44 left.", "44", "44"),
        ("She gets .25*4 = <<.25*4=1>>1.00 back from 2 people", "1", "1"),
        ("That is 325 000 cars each.", "325000", "325000"),
        ("He scored 48 + 16 = <<48+16=64>>64 points.", "66", "64"),
        ("70 + 40 = 100 people have reappeared.", "110", "100"),
        ("So none.", "0", ""),
        ("Each costs 40/160 = $<<40/160=0.25>>0.25", "25", "25"),
    ],
)
def test_what_a_solution_of_gsm8k_comes_to(tmp_path, solution, answer, result):
    rows = [{"question": "P", "answer": f"{solution}\n#### {answer}"}]
    (one,), _, _ = read(tmp_path, rows, "gsm8k")
    assert one.answer == answer
    assert one.solution == solution + (f"\n\\boxed{{{result}}}" if result else "")


def test_difficulty_of_the_release_is_kept(tmp_path):
    (one,), _, _ = read(tmp_path, [RELEASED], "or1")
    assert json.loads(one.difficulty) == {"m": 3}


def test_later_years_are_out_of_scope(tmp_path):
    rows = [{"problem": "P", "answer": "1", "year": year} for year in (2022, 2023, 2024, "?")]
    kept, dropped, _ = read(tmp_path, rows, "aime", before=2023)
    assert len(kept) == 1
    assert {row.fault.reason for row in dropped} == {Reason.OUT_OF_SCOPE}


def test_taco(tmp_path):
    row = {"question": "Add one.", "solutions": json.dumps(["print(2)", ""]),
           "input_output": json.dumps(TESTS), "difficulty": "HARD", "starter_code": ""}  # fmt: skip
    rows = [row, row | {"input_output": ""}, row | {"input_output": "{"}, row | {"solutions": "{}"}]
    kept, dropped, _ = read(tmp_path, rows, "taco")
    assert kept[0].source == "train-code-taco-hard"
    assert json.loads(kept[0].answer) == TESTS
    assert json.loads(kept[0].solution) == ["print(2)"]
    assert [row.fault.reason for row in dropped] == [Reason.NO_TESTS, Reason.BROKEN]
    assert json.loads(kept[1].solution) == ["{}"]  # a program, if no good one


def test_leetcode(tmp_path):
    row = {"task_id": "two-sum", "query": "Find two.", "entry_point": "f", "prompt": "import math",
           "test": "def check(c): assert c(1)", "completion": "def f(x): return x",
           "meta": {"difficulty": "Easy"}}  # fmt: skip
    (one,), _, _ = read(tmp_path, [row], "leetcode")
    assert (one.source, one.kind) == ("train-code-leetcode-Easy", "code")
    assert json.loads(one.answer)["entry_point"] == "f"


def test_any_file_by_its_columns(tmp_path):
    rows = [{"task": "P", "final": 0.10, "why": "so"}, {"task": "P"}]
    columns = {"problem": "task", "answer": "final", "solution": "why"}
    kept, dropped, _ = read(tmp_path, rows, "file", name="mine", columns=columns)
    assert (kept[0].source, kept[0].answer, kept[0].solution) == ("mine", "0.1", "so")
    assert dropped[0].fault.reason is Reason.BROKEN


def test_a_plain_file(tmp_path):
    rows = [{"id": "a", "prompt": "P", "answer": ["1/2", 0.5], "solution": "so"}]
    (one,), _, _ = read(tmp_path, rows, "file", name="mine")
    assert (one.native_id, one.answer, one.solution) == ("a", '["1/2", "0.5"]', "so")


def test_broken_rows_are_dropped_with_their_place_and_counted(tmp_path):
    good = {"question": "P", "answer": "1"}
    rows = [good, '{"question": "P", ', "[1]", "\udcff\udcfe", {"other": 5}, "\\ud800",
            '{"question": "half \\ud800", "answer": "1"}', {"question": "x" * 10_000_000,
            "answer": "1"}, "1e9", good]  # fmt: skip
    kept, dropped, reports = read(tmp_path, rows, "still3")
    assert len(kept) + len(dropped) == len(rows)
    assert [row.candidate.origin for row in dropped] == [
        f"rows.jsonl:{n}" for n in (2, 3, 4, 5, 6, 7, 9)
    ]
    assert {row.fault.reason for row in dropped} == {Reason.BROKEN}
    assert "UTF-8" in dropped[2].fault.detail
    assert len({row.uid for row in kept}) == 3
    assert reports[0].dropped == {"train-math-still3": {"broken": 7}}


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("file", '{"\\ud800x": 1}'),
        ("numina", '{"problem": "P", "answer": "1", "problem_is_valid": "\\ud800"}'),
        ("aime", '{"problem": "P", "answer": "1", "year": "%s"}' % ("9" * 5_000)),
    ],
)
def test_hostile_rows_are_dropped_and_written_down(tmp_path, kind, row):
    settings = {"name": "mine"} if kind == "file" else {}
    kept, dropped, _ = read(tmp_path, [row], kind, **settings)
    assert (len(kept), len(dropped)) == (0, 1)


def test_test_splits_on_the_hub_are_left_alone():
    wanted = partial(_is_wanted, patterns=ADAPTERS["taco"].files)
    assert wanted("ALL/train-00000-of-00009.parquet")
    assert not wanted("ALL/test-00000-of-00001.parquet")
    numina = partial(_is_wanted, patterns=ADAPTERS["numina"].files)
    assert numina("data/train-00000-of-00003.parquet")
    assert numina("default/train/0000.parquet")
    assert not numina("default/test/0000.parquet")
    assert _is_wanted("test.jsonl", ADAPTERS["omni-math"].files)


def test_what_a_source_calls_its_parts_can_stand_in_a_card(tmp_path):
    row = RELEASED | {"data_source": "x | 9 |\n\n# Official <img src=y>"}
    (one,), _, _ = read(tmp_path, [row], "or1")
    assert not set(one.source) & set("|<>\n #")


def test_repeated_ids_are_reported_and_kept(tmp_path):
    rows = [{"id": "a", "problem": f"P{n}", "answer": "1"} for n in range(3)]
    kept, _, reports = read(tmp_path, rows, "deepscaler")
    assert len({row.uid for row in kept}) == 3
    assert reports[0].notes == {"repeated-ids": 2}


def test_a_limit_keeps_the_first(tmp_path):
    rows = [{"question": f"P{n}", "answer": "1"} for n in range(5)]
    kept, _, _ = read(tmp_path, rows, "still3", limit=2)
    assert [row.problem for row in kept] == ["P0", "P1"]


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl.gz", "rows.json"])
def test_every_file_type(tmp_path, name):
    rows = [{"question": "P", "answer": "1"}] * 3
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith("gz"):
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    else:
        path.write_text(json.dumps(rows))
    assert len(read_file(tmp_path, path, "still3")[0]) == 3


def test_parquet_text_that_is_no_unicode_breaks_its_own_row_only(tmp_path):
    path = tmp_path / "rows.parquet"
    raw = pa.array([b"P", b"\xff\xfe", b"Q"]).cast(pa.binary())
    table = pa.table({"question": pa.Array.from_buffers(pa.string(), 3, raw.buffers()),
                      "answer": ["1"] * 3})  # fmt: skip
    pq.write_table(table, path)
    kept, dropped, _ = read_file(tmp_path, path, "still3")
    assert [row.problem for row in kept] == ["P", "Q"]
    assert [row.candidate.origin for row in dropped] == ["rows.parquet:2"]


def test_a_directory_is_all_its_files_in_order(tmp_path):
    for name in ("b.jsonl", "a.jsonl", "readme.txt"):
        (tmp_path / name).write_text("")
    found = source_files(RawSource(type="taco", path=tmp_path))
    assert [path.name for path in found] == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_no_files_is_an_error_that_says_what_to_do(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="path"):
        source_files(RawSource(type="taco", path=tmp_path / name))
