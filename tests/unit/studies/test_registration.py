"""The hash of what was fixed before the runs."""

from dataclasses import replace

import pytest

from reasonrl.lab.miniature import Spec
from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import miniature_base, recipe_base
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.claims import headline
from reasonrl.studies.registration import registrations
from reasonrl.studies.scales import MINIATURE
from tests.e2e.support import RECIPES

STUDIES, ARMS = studies_of(MINIATURE), arms_of(MINIATURE)


def hash_of(study, *, arms=ARMS, spec=None):
    return registrations([study], arms, miniature_base(spec or Spec()), 101).get(study.name)


def test_it_stays_while_words_change_and_the_cache_moves(monkeypatch, tmp_path):
    study = STUDIES["kl"]
    before = hash_of(study)
    claims = tuple(replace(claim, text="other words") for claim in study.claims)
    assert hash_of(replace(study, question="?", note="!", claims=claims)) == before
    monkeypatch.setenv("REASONRL_CACHE", str(tmp_path))
    assert hash_of(study) == before


def _with(claim):
    study = STUDIES["kl"]
    return replace(study, claims=(claim, *study.claims[1:]))


@pytest.mark.parametrize(
    "moved",
    [
        lambda claim: replace(claim, margin=claim.within * 1.01),
        lambda claim: replace(claim, level=0.1),
        headline,
        lambda claim: replace(claim, measure=replace(claim.measure, what="over the first tenth")),
    ],
)
def test_it_changes_with_a_claim(moved):
    study = STUDIES["kl"]
    assert hash_of(_with(moved(study.claims[0]))) != hash_of(study)


def test_it_changes_with_the_seeds():
    assert hash_of(replace(STUDIES["kl"], seeds=99)) != hash_of(STUDIES["kl"])


def test_it_changes_with_an_arm_of_the_study_and_with_its_world():
    study = STUDIES["kl"]
    arms = dict(ARMS)
    arms["kl-kept"] = replace(arms["kl-kept"], changes={"update.learning_rate": 1e-4})
    assert hash_of(study, arms=arms) != hash_of(study)
    assert hash_of(STUDIES["n-sgd"], arms=arms) == hash_of(STUDIES["n-sgd"])
    assert hash_of(study, spec=replace(Spec(), limit=95)) != hash_of(study)


def test_a_study_whose_problems_the_base_lacks_has_none():
    base = recipe_base(RECIPES / "tiny.toml", ())
    found = registrations(STUDIES.values(), ARMS, base, 101)
    assert "n-sgd" in found
    assert "data-mixture" not in found
