"""The lab's kept results are judged again: the documentation says what they say."""

from pathlib import Path

from reasonrl.lab.worlds import WORLDS
from reasonrl.studies.answer import answer_table
from reasonrl.studies.kept import read_kept
from reasonrl.studies.results import results_of_kept
from reasonrl.studies.setting import on_miniatures

DOCS = Path(__file__).parents[3] / "docs"


def test_the_answer_in_the_documentation_is_what_the_kept_results_say():
    kept = read_kept(DOCS / "lab" / "results")
    settings = [on_miniatures(world) for world in WORLDS]
    results = [result for setting in settings for result in results_of_kept(setting, kept)[0]]
    run = {result.study.name for result in results}
    studies = [one for one in settings[0].studies.values() if one.is_reports or one.name in run]
    assert answer_table(results, studies) in (DOCS / "lab.md").read_text(encoding="utf-8")
