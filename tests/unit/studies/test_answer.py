"""The answer of the lab as a table in Markdown."""

from dataclasses import replace

from reasonrl.studies.answer import answer_table, decided
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.scales import MINIATURE
from tests.unit.studies.test_results import result_of

KL = replace(studies_of(MINIATURE)["kl"], seeds=3)
OTHER = replace(KL, name="other")


def in_world(world, higher, lower, study=KL):
    return replace(result_of(higher, lower), world=world, study=study)


YES = in_world("chains", [0.8, 0.81, 0.82], [0.5, 0.5, 0.5])
NO = in_world("search", [0.5, 0.501, 0.502], [0.5, 0.5, 0.5])
OPEN = in_world("search", [0.5, 0.6, 0.4], [0.5, 0.5, 0.5])


def test_each_claim_has_its_verdict_in_every_world():
    head, _, row = answer_table([YES, NO], [KL]).splitlines()
    assert head == "| study | claim | chains | search |"
    study, claim, chains, search = (cell.strip() for cell in row.strip("|").split("|"))
    assert study == "**kl**, Experiment 5, Figure 11"
    assert claim == "without it the second stage ends higher"
    assert chains == "**yes**: +31.0 points [+28.5, +33.5], 3 seeds"
    assert search.startswith("**no, within the margin of 0**: +0.1 points")


def test_what_is_open_says_how_many_seeds_might_decide_it():
    row = answer_table([YES, OPEN], [KL]).splitlines()[2]
    assert "**undecided**, 245 seeds might do: +0.0 points" in row
    opposite = in_world("", [0.5] * 3, [0.8, 0.81, 0.82])
    row = answer_table([opposite], [KL]).splitlines()[2]
    assert "**no, the opposite**: -31.0 points" in row


def test_a_verdict_on_part_of_the_seeds_is_told_as_one():
    part = replace(YES, study=replace(KL, seeds=16))
    row = answer_table([part], [part.study]).splitlines()[2]
    assert "| so far yes: +31.0 points [+28.5, +33.5], 3 of 16 seeds |" in row
    assert decided([part], [part.study])[0].startswith("chains: 0 of 1 starred claims")


def test_a_study_that_was_not_run_in_a_world_says_so_and_counts():
    other = in_world("chains", [0.8, 0.81, 0.82], [0.5, 0.5, 0.5], OTHER)
    row = answer_table([YES, NO, other], [KL, OTHER]).splitlines()[3]
    assert row.endswith("| not run |")
    assert decided([YES, NO, other], [KL, OTHER]) == [
        "chains: 2 of 2 starred claims and 2 of 2 studies are decided with all their seeds",
        "search: 1 of 2 starred claims and 1 of 2 studies are decided with all their seeds",
        "in every world: 1 of 2 studies",
    ]


def test_what_is_open_is_not_decided():
    assert decided([OPEN], [KL]) == [
        "search: 0 of 1 starred claims and 0 of 1 studies are decided with all their seeds"
    ]
    assert decided([], [KL]) == []
