"""Looking into a build: the funnel, one problem, rows beside what they are like, the card."""

import json
import re
from pathlib import Path

import pytest
import yaml

from reasonrl.curation.lookup import dropped_rows, fate_of
from reasonrl.errors import ConfigError
from reasonrl.launch.curate import write_card
from tests.e2e.support import reasonrl_here as here
from tests.unit.curation.support import AIME, STORY
from tests.unit.curation.test_build import raw, recipe_of, run

__all__ = ["raw"]  # the fixture


@pytest.fixture
def built(raw, tmp_path) -> Path:
    run(recipe_of(raw), tmp_path / "out")
    return tmp_path / "out"


def test_a_problem_has_its_fate_and_its_cluster(built):
    fate = fate_of(built, "train-math-deepscaler-40")
    assert (fate.candidate.problem, fate.end) == (STORY, None)
    (copy,) = fate.cluster
    assert copy.row.candidate.problem == STORY.upper()
    gone = fate_of(built, copy.row.candidate.uid)
    assert (gone.end.step, gone.end.other.uid) == ("dedup", "train-math-deepscaler-40")
    broken = fate_of(built, "train-math-deepscaler-45")
    assert broken.end.row.fault.reason == "broken"


def test_dropped_rows_by_step_reason_and_source(built):
    (hit,) = dropped_rows(built, reason="contaminated")
    assert (hit.row.candidate.problem, hit.other.problem) == (AIME, AIME)
    assert len(dropped_rows(built, step="answers")) == 2
    assert len(dropped_rows(built, step="answers", source="train-code-leetcode-Easy")) == 1
    assert len(dropped_rows(built, limit=3)) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--reason", "contaminatd"), "did you mean contaminated?"),
        (("--step", "deduplicate"), "did you mean dedup?"),
        (("nobody-7",), "no problem 'nobody-7'"),
    ],
)
def test_wrong_words_are_named_with_the_nearest(built, arguments, said):
    done = here("data", "show", built, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_directory_without_a_build_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="no finished step"):
        dropped_rows(tmp_path)
    done = here("data", "card", tmp_path)
    assert (done.returncode, "not finished" in done.stderr) == (2, True)


def test_the_commands_show_what_is_there(built):
    assert "decontaminate" in here("data", "show", built).stdout
    assert (
        "dropped as its duplicates"
        in here("data", "show", built, "train-math-deepscaler-40").stdout
    )
    assert "(p)" in here("data", "show", built, "--reason", "contaminated").stdout


def test_the_card_counts_what_the_manifest_counts(built):
    manifest = write_card(built)
    card = (built / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == "other"
    assert front["configs"][0]["data_files"] == [
        {"split": "train", "path": ["data/code-train.parquet", "data/math-train.parquet"]}
    ]
    for step in manifest.steps:
        assert f"| {step.name} | {sum(step.kept.values())} |" in card
    page = (built / "card.html").read_text()
    assert page.count("<rect") == (built / "funnel.svg").read_text().count("<rect") > 0
    assert "<script" not in page
    assert AIME.split("$")[0] in page


def test_what_stands_in_a_problem_is_text_on_the_page(raw, tmp_path):
    path = raw / "math.jsonl"
    hostile = STORY + " <script>alert(1)</script>"
    line = "\n" + json.dumps({"problem": hostile, "answer": "72"})
    path.write_text(path.read_text() + line + line)
    run(recipe_of(raw), tmp_path / "out")
    write_card(tmp_path / "out")
    page = (tmp_path / "out" / "card.html").read_text()
    assert not re.search(r"<script", page)
    assert "&lt;script&gt;" in page


def test_people_answer_on_a_sheet_and_the_card_counts(built):
    assert here("data", "sheet", built, "--n", "5").returncode == 0
    table = built / "sheet.csv"
    lines = table.read_text().splitlines()
    assert len(lines) == 6
    assert (built / "sheet.html").read_text().count("\u2610") == 5 * 4
    answers = [f"{line.split(',')[0]},y,Yes,n,,fine" for line in lines[1:5]]
    strangers = ["nobody-7,n,n,n,n,", answers[0].replace("y,Yes,n", "n,n,y")]  # the later holds
    table.write_text("\n".join([lines[0], *strangers, *answers, lines[5]]))
    again = here("data", "sheet", built)
    assert (again.returncode, "may be filled" in again.stderr) == (2, True)
    write_card(built)
    card = (built / "README.md").read_text()
    assert "people found 4 of 4 complete (100%" in card
    assert "people found 0 of 4 formatted (0%" in card
    assert "relevant (" not in card


def test_a_problem_cannot_command_the_terminal(raw, tmp_path):
    line = json.dumps({"problem": STORY + "\x1b[31m \x9b2J red \x07", "answer": "7"})
    path = raw / "math.jsonl"
    path.write_text(path.read_text() + "\n" + line)
    run(recipe_of(raw), tmp_path / "out")
    shown = here("data", "show", tmp_path / "out", "train-math-deepscaler-46").stdout
    assert "\ufffd[31m" in shown
    assert not set(shown) & {"\x1b", "\x9b", "\x07"}


@pytest.mark.parametrize("option", ["--step", "--reason", "--source"])
def test_what_does_not_exist_is_an_error_with_what_does(built, option):
    done = here("data", "show", built, option, "nothing")
    assert (done.returncode, "one of" in done.stderr) == (2, True)
