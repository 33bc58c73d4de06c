from dataclasses import replace

from reasonrl.studies.kept import KeptRun
from reasonrl.studies.made import made_seeds
from reasonrl.studies.record import RunOrigin
from reasonrl.studies.setting import on_miniatures
from tests.unit.studies.support import HERE, run

SETTING = on_miniatures("chains")
KL = SETTING.studies["kl"]
WANTED = {"kl-kept": 16, "kl-dropped": 16}


def kept(arm, seed, *, origin=HERE, registered=None):
    hashes = {"kl": registered or SETTING.registered()["kl"]}
    record = replace(run([0.4]), origin=origin)
    return KeptRun(world="chains", arm=arm, seed=seed, record=record, registered=hashes)


def made(*runs):
    return made_seeds(SETTING, runs, studies=[KL], wanted=WANTED, first_seed=101)


def test_a_seed_with_all_its_arms_is_not_made_again():
    assert made(*(kept(arm, seed) for arm in WANTED for seed in (101, 103))) == {101, 103}


def test_a_seed_in_part_of_two_commits_or_with_another_registration_is_made_again():
    other = RunOrigin(commit="b" * 12, machine=HERE.machine)
    assert made(kept("kl-kept", 101)) == set()
    assert made(kept("kl-kept", 101), kept("kl-dropped", 101, origin=other)) == set()
    assert made(*(kept(arm, 101, registered="0" * 12) for arm in WANTED)) == set()
    changed = RunOrigin(commit="b" * 12 + "-dirty", machine=HERE.machine)
    assert made(*(kept(arm, 101, origin=changed) for arm in WANTED)) == set()
