"""The answer of the lab as a table in Markdown."""

from dataclasses import replace

from reasonrl.studies.answer import answer_table, decided
from reasonrl.studies.verdicts import judge_study, overall
from tests.unit.studies.test_results import result_of


def in_world(world, higher, lower):
    return replace(result_of(higher, lower), world=world)


YES = in_world("chains", [0.8, 0.81, 0.82], [0.5, 0.5, 0.5])
NO = in_world("search", [0.5, 0.501, 0.502], [0.5, 0.5, 0.5])
OPEN = in_world("search", [0.5, 0.6, 0.4], [0.5, 0.5, 0.5])


def test_each_claim_has_its_verdict_in_every_world():
    head, _, row = answer_table([YES, NO]).splitlines()
    assert head == "| study | claim | chains | search |"
    study, claim, chains, search = (cell.strip() for cell in row.strip("|").split("|"))
    assert study == "**kl**, Experiment 5, Figure 11"
    assert claim == "without it the second stage ends higher"
    assert chains == "**yes**: +31.0 points [+28.5, +33.5], 3 seeds"
    assert search.startswith("**no difference**: +0.1 points")


def test_what_is_open_says_how_many_seeds_would_decide_it():
    row = answer_table([YES, OPEN]).splitlines()[2]
    assert "seeds would**: +0.0 points" in row
    opposite = answer_table([in_world("", [0.5] * 3, [0.8, 0.81, 0.82])]).splitlines()[2]
    assert "**no, the opposite**: -31.0 points" in opposite


def test_a_study_that_was_not_run_in_a_world_says_so():
    other = replace(YES, study=replace(YES.study, name="other"))
    row = answer_table([YES, NO, other]).splitlines()[3]
    assert row.endswith("| not run |")


def test_decided_is_yes_or_no():
    assert decided([YES, NO]) == [
        "chains: 1 of 1 starred claims are decided, and 1 of 1 of the report's studies",
        "search: 1 of 1 starred claims are decided, and 1 of 1 of the report's studies",
        "decided in every world: 1 of these studies",
    ]
    assert decided([YES, OPEN])[1:] == [
        "search: 0 of 1 starred claims are decided, and 0 of 1 of the report's studies",
        "decided in every world: 0 of these studies",
    ]
    few = replace(YES, verdicts=judge_study(YES.study, {}))
    assert "0 of 1 starred claims" in decided([replace(few, outcome=overall(few.verdicts))])[0]
