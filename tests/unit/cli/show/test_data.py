"""Dropped rows and the fate of a problem, as a terminal shows them."""

import json

from reasonrl.cli.show.data import show_dropped, show_fate, show_funnel
from reasonrl.curation.lookup import Fate, Seen
from reasonrl.curation.rows import Candidate, Dropped, Fault, Reason
from reasonrl.curation.store import StepCounts
from reasonrl.terminal import Console


def row(uid, problem="1 + 1", **fields):
    return Candidate(uid=uid, source="s", kind="math", problem=problem, answer="2", **fields)


def dropped(uid, other=None, similarity=None, **fields):
    fault = Fault(reason=Reason.DUPLICATE, detail="of u2", similarity=similarity)
    return Seen(step="dedup", row=Dropped(candidate=row(uid, **fields), fault=fault), other=other)


def test_a_dropped_row_is_shown_beside_the_problem_that_it_resembles(capsys):
    show_dropped(Console(), [dropped("u1", row("u2", "one and one"), 0.934)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("u1  dedup: duplicate 0.93 of u2 [")
    assert lines[1:4] == ["    1 + 1  ->  2", "  = one and one  ->  2", "    (u2)"]
    assert lines[-1] == "1 row"


def test_a_long_problem_is_one_short_line(capsys):
    show_dropped(Console(), [dropped("u1", problem="a\n b" * 500)])
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith("    a ba b")
    assert line.endswith("\u2026  ->  2")
    assert len(line) == 4 + 200 + len("  ->  2")


def test_a_kept_problem_shows_its_measured_difficulty_and_its_duplicates(capsys):
    kept = row("u1", solution="because", rollouts=json.dumps({"tiny": [12, 16]}))
    show_fate(Console(), Fate(candidate=kept, end=None, cluster=(dropped("u3"),)))
    said = capsys.readouterr().out
    for text in ("tiny: 12 of 16 right [0.", "solution: because", "\nkept\n"):
        assert text in said
    assert said.index("dropped as its duplicates:") < said.index("u3  dedup")


def test_a_dropped_problem_shows_why(capsys):
    show_fate(Console(), Fate(candidate=row("u1"), end=dropped("u1"), cluster=()))
    said = capsys.readouterr().out
    assert "\ndropped:\nu1  dedup: duplicate of u2" in said
    assert "kept" not in said


def test_the_funnel_counts_every_step(capsys):
    counts = StepCounts(
        name="clean", digest="", kept={"s": 1_500}, dropped={"s": {"link": 7}}, notes={"odd": 2}
    )
    show_funnel(Console(), [counts])
    said = capsys.readouterr().out
    for text in ("clean", "1,500", "7 link | 2 odd"):
        assert text in said
