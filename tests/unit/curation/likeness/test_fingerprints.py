"""What the hashes and signatures of problems promise."""

from itertools import pairwise

import numpy as np
import pytest

from reasonrl.curation.likeness.fingerprints import PERMUTATIONS, fingerprint, load, ngrams
from reasonrl.curation.likeness.words import words
from reasonrl.errors import CheckpointError
from tests.unit.curation.support import AIME, STORY


def shares(left, right):
    """Return the share of equal signature values of two texts."""
    signatures = fingerprint([left, right]).signatures_NP
    return float((signatures[0] == signatures[1]).mean())


def jaccard(left, right):
    """Return the overlap of two texts' words and pairs of words."""
    ours, theirs = ({*listed, *pairwise(listed)} for listed in map(words, (left, right)))
    return len(ours & theirs) / len(ours | theirs)


def test_typesetting_changes_no_hash_and_an_operator_changes_it():
    same = fingerprint(["What is $\\frac12 + x$?", "What is \\( \\dfrac{1}{2}+x \\)?"])
    other = fingerprint(["What is $\\frac12 - x$?"])
    assert same.exact_N[0] == same.exact_N[1] != other.exact_N[0]


def test_numbers_have_one_hash_in_any_order():
    """The numbers as a multiset: 2, 3, 3 is neither 2, 2, 3 nor 2, 3."""
    texts = ["a 2 b 3 c 3", "3 x 2 y 3", "2 2 3", "2 3"]
    hashes = fingerprint(texts).numbers_N.tolist()
    assert hashes[0] == hashes[1]
    assert len(set(hashes[1:])) == 3


def test_a_template_forgets_numbers_but_no_exponent():
    base = "Find the remainder when the number $7^{10}$ is divided by 6"
    texts = [base, base.replace("by 6", "by 9"), base.replace("{10}", "{11}"), "What is 3 + 4?"]
    template = fingerprint(texts).template_N.tolist()
    assert template[0] == template[1] != template[2]
    assert template[3] == 0  # two words of language are too few


def test_signatures_estimate_the_overlap_of_words_and_their_pairs():
    """128 values estimate a share with a standard deviation below 0.045; four of them allowed."""
    texts = [
        STORY,
        STORY.replace("Natalia", "Weng"),
        STORY.replace(" May", " June") + " Why?",
        AIME,
    ]
    for left in texts:
        for right in texts:
            assert shares(left, right) == pytest.approx(jaccard(left, right), abs=0.18)
    assert shares(STORY, STORY) == 1


@pytest.mark.parametrize("n", [1, 2, 8])
def test_a_run_of_words_has_one_hash_wherever_it_stands(n):
    hashes = np.arange(1, 21, dtype=np.uint64) ** np.uint64(5)
    runs = ngrams(hashes, n)
    assert len(runs) == len(set(runs.tolist())) == 20 - n + 1
    assert ngrams(hashes[7 : 7 + n], n).tolist() == [runs[7]]
    assert len(ngrams(hashes[: n - 1], n)) == 0


def test_no_problems_have_fingerprints_too():
    none = fingerprint([])
    assert (len(none), none.signatures_NP.shape) == (0, (0, PERMUTATIONS))


@pytest.mark.parametrize("damage", [lambda raw: raw[:-40], lambda _raw: b"", lambda _raw: b"text"])
def test_a_damaged_file_is_an_error_that_names_the_step(tmp_path, damage):
    path = tmp_path / "4-dedup" / "fingerprints" / "00-00000.npz"
    path.parent.mkdir(parents=True)
    fingerprint([STORY]).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"00-00000\.npz: .*delete .*4-dedup to make"):
        load(path)
