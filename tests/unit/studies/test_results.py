"""What studies leave behind: verdicts as JSON, and a page."""

import json
from dataclasses import replace

from reasonrl.lab.miniature import Spec
from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import miniature_base
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.page import render_study_page
from reasonrl.studies.results import results_of, write_results
from reasonrl.studies.runs import jobs_of, read_records
from reasonrl.studies.scales import MINIATURE
from reasonrl.studies.setting import on_miniatures
from reasonrl.studies.verdicts import ClaimOutcome, StudyResult, judge_study, overall
from tests.unit.studies.support import run

KL = studies_of(MINIATURE)["kl"]


def result_of(higher, lower):
    """The study of the KL penalty, with these scores of its two arms by seed."""
    records = {}
    for arm, scores in (("kl-dropped", higher), ("kl-kept", lower)):
        for seed, score in enumerate(scores, start=1):
            records[arm, seed] = run(
                [0.4] * 20,
                {20: score},
                time__step_s=[1.5] * 20,
                rollout__mean_tokens=[30.0] * 20,
            )
    verdicts = judge_study(KL, records)
    arms = arms_of(MINIATURE)
    return StudyResult(
        study=KL,
        outcome=overall(verdicts),
        verdicts=verdicts,
        arms=[arms[name] for name in KL.arms],
        records=records,
    )


def test_the_json_holds_every_number_of_a_verdict(tmp_path):
    write_results([result_of([0.8, 0.81, 0.82], [0.5, 0.5, 0.5])], [KL], tmp_path)
    [study] = json.loads((tmp_path / "verdicts.json").read_text())["studies"]
    assert (study["name"], study["outcome"]) == ("kl", "reproduced")
    missing, headline = study["claims"]
    assert (missing["outcome"], missing["mean"], missing["seeds"]) == ("not run", None, [])
    assert headline["values"] == [0.8, 0.81, 0.82]
    assert headline["others"] == [0.5, 0.5, 0.5]
    assert (headline["arm"], headline["sign"], headline["other"]) == (
        "kl-dropped", "above", "kl-kept"
    )  # fmt: skip


def test_the_page_counts_what_was_reproduced_and_links_to_each_study(tmp_path):
    good, bad = result_of([0.8, 0.81, 0.82], [0.5] * 3), result_of([0.5] * 3, [0.8, 0.81, 0.82])
    assert (good.outcome, bad.outcome) == (
        ClaimOutcome.REPRODUCED, ClaimOutcome.NOT_REPRODUCED
    )  # fmt: skip
    good = replace(good, pages={("kl-kept", 2): "runs/kl kept/report.html"})
    page = render_study_page([good, bad])
    assert '1, <a href="runs/kl%20kept/report.html">2</a>, 3' in page
    assert "1 of 2 of the report\u2019s studies" in page
    assert 'href="#kl"' in page
    assert "score of kl-dropped above that of kl-kept" in page
    assert "<small>0.810 / 0.500</small>" in page


def test_the_page_says_who_made_the_runs_and_how_to_repeat_them():
    result = result_of([0.8, 0.81, 0.82], [0.5] * 3)
    page = render_study_page([replace(result, world="search", registration="0a1b2c3d4e5f")])
    assert "Registration 0a1b2c3d4e5f. Runs: 6 by 0123456789ab on a processor, torch 2." in page
    assert (
        "<code>reasonrl study kl --starred --world search --seeds 3 --first-seed 4</code>" in page
    )


def test_a_study_without_finished_runs_is_left_out(tmp_path):
    setting = on_miniatures("chains")
    jobs = jobs_of([(setting.arms["kl-kept"], 2)], setting.base, tmp_path)
    assert results_of(setting, read_records(jobs), {}) == []


def test_first_seeds_come_first_and_a_changed_recipe_is_another_run(tmp_path):
    arms = arms_of(MINIATURE)
    some = [(arms["on-policy"], 1), (arms["group-4"], 2)]
    jobs = jobs_of(some, _on_the_miniature, tmp_path, first_seed=4)
    assert [(job.arm.name, job.seed) for job in jobs] == [
        ("on-policy", 4), ("group-4", 4), ("group-4", 5)
    ]  # fmt: skip
    again = jobs_of(some, _cooler, tmp_path, first_seed=4)
    names = {job.directory.name for job in (*jobs, *again)}
    assert len(names) == 6
    assert all("-seed-" in name for name in names)


def _on_the_miniature(arm, seed):
    return miniature_base(Spec())(arm, seed)


def _cooler(arm, seed):
    recipe = _on_the_miniature(arm, seed)
    return recipe.model_copy(update={"name": f"{recipe.name}-cooler"})
