"""The problem files of each world."""

import pytest

from reasonrl.lab import problems
from reasonrl.lab.chains import ChainSpec
from reasonrl.lab.search import SearchSpec


@pytest.mark.parametrize("spec", [ChainSpec(), SearchSpec()], ids=["chains", "search"])
def test_files_share_no_problem_and_noisy_keys_are_all_wrong(spec):
    world = spec.make()
    sizes = problems.Sizes(train=60, easy=40, noisy=30, heldout=20)
    files = problems.draw_problems(world, sizes)
    asked = [one.prompt[0].content for some in files.values() for one in some]
    assert len(asked) == len(set(asked)) == 150
    spoiled = problems.spoil(files[problems.NOISY], world)
    for before, after in zip(files[problems.NOISY], spoiled, strict=True):
        assert after.answer != before.answer
        assert 0 <= int(after.answer) < world.n_answers
