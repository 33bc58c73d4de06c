import pytest

from reasonrl.errors import ConfigError
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.choice import studies_named, wanted_arms
from reasonrl.studies.scales import MINIATURE

CATALOG = studies_of(MINIATURE)


def test_report_names_the_twelve_directions_of_the_report_once():
    chosen = studies_named(["kl", "report", "controller"], CATALOG)
    names = [study.name for study in chosen]
    assert len(names) == len(set(names)) == 13
    assert "remedies" not in names
    assert sum(claim.is_headline for one in chosen if one.is_reports for claim in one.claims) == 23


def test_a_wrong_name_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match="no study 'n-sdg'") as told:
        studies_named(["n-sdg"], CATALOG)
    assert "n-sgd" in str(told.value)


def test_arms_have_the_seeds_of_the_study_that_asks_for_most():
    n_sgd, stale = CATALOG["n-sgd"], CATALOG["stale-data"]
    assert n_sgd.seeds != stale.seeds
    wanted = wanted_arms([n_sgd, stale])
    assert wanted["minibatches-4"] == max(n_sgd.seeds, stale.seeds)
    assert wanted["reuse-2"] == n_sgd.seeds
    assert set(wanted_arms([n_sgd], seeds=2).values()) == {2}


def test_starred_arms_are_those_of_the_headline_claims():
    n_sgd = CATALOG["n-sgd"]
    assert set(wanted_arms([n_sgd], is_starred=True)) == {"on-policy", "minibatches-4", "reuse-4"}
    with pytest.raises(ConfigError, match="--arms reuse-2"):
        wanted_arms([n_sgd], only="reuse-2", is_starred=True)
