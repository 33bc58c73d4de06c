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
    table = answer_table(results, settings[0].studies.values())
    assert table in (DOCS / "lab.md").read_text(encoding="utf-8")
