"""The page and the card of a data set say what its manifest counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from reasonrl.curation.lookup import Seen
from reasonrl.curation.manifest import Manifest
from reasonrl.curation.publish import Published
from reasonrl.curation.ratings.quality import Agreement
from reasonrl.curation.rows import Candidate, Dropped, Fault, Reason
from reasonrl.curation.store import StepCounts
from reasonrl.report.data.page import Judged, render_page, render_readme

NOBODY = Judged(judges=None, people={})
HOSTILE = "<script>a</script> | `b`"


def step(name: str, kept: int, **dropped: int) -> StepCounts:
    return StepCounts(
        name=name,
        digest="",
        kept={"train-math-x": kept},
        dropped={"train-math-x": dropped} if dropped else {},
        notes={},
    )


def manifest(**recipe: Any) -> Manifest:
    plain = {"publish": {"mix": {}}, "dedup": {"semantic": None}, "protected": []}
    files = (
        Published(file="math-train.parquet", rows=1_200, sha256="f" * 64, sources={HOSTILE: 1_200}),
        Published(file="math-valid.parquet", rows=34, sha256="0" * 64, sources={"y": 34}),
    )
    steps = (
        step("read", 2_000),
        step("dedup", 1_500, duplicate=450, renumbered=50),
        step("decontaminate", 1_234, contaminated=266),
    )
    return Manifest(
        name="mine", reasonrl="0.1", recipe={**plain, **recipe}, steps=steps, files=files, hash="h"
    )


def test_the_card_counts_what_was_kept_and_dropped_and_why() -> None:
    card = render_readme(manifest(), "mit", NOBODY, {})
    for line in (
        "| dedup | 1,500 | 500 | 450 duplicate, 50 renumbered |",
        "| math-train.parquet | 1,200 | `ffffffffffffffff` |",
        "| `y` | 34 |",
    ):
        assert line in card.splitlines()
    assert "1,234 rows" in card
    assert "## Difficulty" not in card
    assert "## Quality" not in card


def test_the_front_matter_is_what_the_hub_reads() -> None:
    _, front, _ = render_readme(manifest(), "mit", NOBODY, {}).split("---\n", 2)
    known = yaml.safe_load(front)
    assert known["license"] == "mit"
    assert known["size_categories"] == ["1K<n<10K"]
    assert known["configs"][0]["data_files"] == [
        {"split": "train", "path": ["data/math-train.parquet"]},
        {"split": "valid", "path": ["data/math-valid.parquet"]},
    ]


def test_names_of_sources_break_no_table_and_are_no_markup() -> None:
    card = render_readme(manifest(), "mit", NOBODY, {})
    assert "| `&lt;script>a&lt;/script> / 'b'` | 1,200 |" in card
    page = render_page(manifest(), {}, {})
    assert "<script>" not in page
    assert "&lt;script&gt;a" in page


def test_the_card_names_the_protected_benchmarks_and_how_much_they_cost() -> None:
    protected = [{"type": "aime24"}, {"type": "file", "path": "mine.jsonl"}]
    card = render_readme(manifest(protected=protected), "mit", NOBODY, {})
    assert "problem of aime24, mine.jsonl were dropped: 266 of 1,500." in card
    assert "no benchmark was held out" in render_readme(manifest(), "mit", NOBODY, {})


def test_the_page_says_first_what_to_look_at() -> None:
    broken = manifest()
    steps = (step("read", 800, broken=1_200), *broken.steps[1:])
    page = render_page(replace(broken, steps=steps), {}, {})
    assert page.index("The step read dropped 60% of its rows: 1,200 broken") < page.index(
        "From raw rows"
    )
    assert "No benchmark was protected" in page
    whole = render_page(manifest(protected=[{"type": "aime24"}]), {}, {})
    assert "No benchmark was protected" not in whole
    assert "dropped 60%" not in whole


def test_the_card_tells_repeated_sources_and_a_search_by_meaning() -> None:
    mixed = manifest(publish={"mix": {"train-math-x": 2.0}}, dedup={"semantic": {"model": "m"}})
    card = render_readme(mixed, "mit", NOBODY, {})
    assert "(of the training split train-math-x times 2: some problems repeatedly)" in card
    assert "- Contamination is found by words" in card
    bare = render_readme(manifest(), "mit", NOBODY, {})
    assert "- Duplicates and contamination are found by words" in bare


def test_the_card_tells_what_models_solved_and_judges_and_people_said() -> None:
    judged = Judged(judges=Agreement(within={"a": 0.9}, kappa=0.5), people={"clear": (8, 10)})
    card = render_readme(manifest(), "mit", judged, {"tiny": {0: 3, 4: 9, 16: 2}})
    assert "- tiny solved 3 of 14 always, 2 never, 9 sometimes" in card
    assert "a with itself 0.900; between the judges kappa 0.500" in card
    assert "- people found 8 of 10 clear (80% [" in card


def test_the_page_shows_a_dropped_row_beside_the_problem_that_it_is_like() -> None:
    def row(uid: str) -> Candidate:
        return Candidate(uid=uid, source="s", kind="math", problem=f"<b>{uid}", answer="1")

    fault = Fault(reason=Reason.DUPLICATE, detail="of u2", similarity=0.934)
    hits = {
        "duplicate": [
            Seen(step="dedup", row=Dropped(candidate=row("u1"), fault=fault), other=row("u2"))
        ]
    }
    page = render_page(manifest(), hits, {"tiny": {16: 1}})
    for shown in ("&lt;b&gt;u1", "&lt;b&gt;u2", "0.93 alike", "Failures of tiny in 16 attempts"):
        assert shown in page
