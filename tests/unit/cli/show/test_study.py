"""The catalog and the verdicts, as a terminal shows them."""

from reasonrl.cli.show.study import show_catalog, show_verdicts
from reasonrl.studies.arms import arms_of
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.scales import MINIATURE
from reasonrl.studies.verdicts import StudyResult, judge_study, overall
from reasonrl.terminal import Console
from tests.unit.studies.support import run


def test_every_study_is_listed_with_its_question(capsys):
    studies = studies_of(MINIATURE)
    show_catalog(Console(), studies.values())
    said = capsys.readouterr().out
    assert all(name in said for name in studies)
    assert "Sample at 1.0 or at 0.6?" in said


def test_a_star_marks_the_claims_that_decide(capsys):
    study = studies_of(MINIATURE)["kl"]
    records = {
        (arm, seed): run([0.4], {1: score + seed / 100})
        for arm, score in (("kl-dropped", 0.8), ("kl-kept", 0.5))
        for seed in (1, 2, 3)
    }
    verdicts = judge_study(study, records)
    arms = [arms_of(MINIATURE)[name] for name in study.arms]
    result = StudyResult(
        study=study, outcome=overall(verdicts), verdicts=verdicts, arms=arms, records=records
    )
    show_verdicts(Console(), [result])
    said = capsys.readouterr().out
    assert "REPRODUCED" in said
    assert "* without it the second stage ends higher" in said
    assert "* the penalty draws" not in said
    assert "+30.0 points [+30.0, +30.0]" in said
    assert "its runs do not have the measure" in said
