"""Warnings about results that a reader could misread, and the tables."""

from dataclasses import replace

from reasonrl.cli.show.evaluation import show_results, show_table_13, warn
from reasonrl.evaluation.paired import paired_gain
from reasonrl.evaluation.results import Comparison, EvalResults, ModelResults
from reasonrl.terminal import Console
from tests.unit.report.support import suite_result


def warnings(*, unboxed=False, **facts):
    return " ".join(warn(suite_result(0.5, **facts), unboxed=unboxed))


def test_a_plain_result_has_no_warning():
    assert warnings(statuses={"CORRECT": 8, "NO_ANSWER": 2}) == ""


def test_many_samples_that_were_cut_off_are_told():
    assert "21% of the samples were cut off at 16 tokens" in warnings(truncated=0.21)
    assert warnings(truncated=0.2) == ""


def test_answers_without_a_box_are_told_with_the_option_that_reads_them():
    statuses = {"CORRECT": 6, "NO_ANSWER": 4}
    assert "40% of the samples have no answer in a box; pass --unboxed" in warnings(
        statuses=statuses
    )
    assert "--unboxed" not in warnings(statuses=statuses, unboxed=True)


def test_several_greedy_samples_say_no_more_than_one():
    assert "greedy samples are alike" in warnings(temperature=0.0, k=4)
    assert "alike" not in warnings(temperature=0.0, k=1)


def test_samples_that_were_not_judged_are_counted():
    assert "3 of 8 samples could not be judged" in warnings(failed=3, statuses={"CORRECT": 8})


def results():
    gain = paired_gain([0.1] * 4, [0.4, 0.3, 0.5, 0.4])
    plain = suite_result(0.5)
    return EvalResults(
        reasonrl="0.1",
        recipe={"verify": {"unboxed": False}, "suite": [{"name": "heldout"}, {"name": "other"}]},
        models=(
            ModelResults(name="[red]base", label="base", weights="", suites=(plain,)),
            ModelResults(
                name="new", label="new", weights="", suites=(replace(plain, truncated_share=0.5),)
            ),
        ),
        comparisons=(
            Comparison(suite="heldout", before="base", after="new", gain=gain, verdict="a gain"),
        ),
    )


def test_all_models_comparisons_and_warnings_are_shown(capsys):
    show_results(Console(), results())
    said = capsys.readouterr().out
    for text in (
        "[red]base",  # a name is no markup
        "50.0 [45.0, 55.0]",
        "8 x 4",
        "heldout: new against base: a gain",
        "heldout: fewer than 6 problems cannot show a difference",
        "heldout, new: 50% of the samples were cut off",
    ):
        assert text in said


def test_table_13_is_shown_without_rows_of_our_own(capsys):
    recipe = {"suite": [{"name": "heldout", "sources": [{"type": "file", "path": "x"}]}]}
    show_table_13(Console(), [replace(results(), recipe=recipe)])
    said = capsys.readouterr().out
    assert "Skywork-OR1-32B" in said
    assert "82.2" in said
    assert "no results of our own" in said
