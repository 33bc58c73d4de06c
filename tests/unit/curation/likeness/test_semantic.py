"""Duplicates by meaning, with an embedding model made here: a vector for every word."""

import json

import numpy as np
import pytest

from reasonrl.curation.likeness.dedup import Match
from reasonrl.curation.likeness.semantic import find_same_meaning
from reasonrl.curation.recipe import SemanticConfig
from reasonrl.curation.rows import Reason
from reasonrl.errors import ModelError
from tests.unit.curation.test_build import raw, reasons, recipe_of, run

__all__ = ["raw"]  # the fixture
MEANINGS = {"find": 0, "determine": 0, "sum": 1, "total": 1, "ten": 2, "primes": 3, "first": 4,
            "odd": 5, "product": 6}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Words of one meaning have one vector."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[UNK]", *MEANINGS]
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.zeros((len(words), 8), dtype=np.float32)
    vectors[0, 7] = 0.01
    for place, word in enumerate(words[1:], start=1):
        vectors[place, MEANINGS[word]] = 1.0
    directory = tmp_path_factory.mktemp("model")
    StaticModel(vectors, tokenizer, {"normalize": True}).save_pretrained(directory)
    return str(directory)


def found(model, rows, dropped=None):
    texts, answers = zip(*rows, strict=True)
    return find_same_meaning(texts, answers, dropped or {}, SemanticConfig(model=model))


ONE, TWO = "find sum first ten primes", "determine total first ten primes"


def test_other_words_of_one_meaning_are_one_problem(model):
    (match,) = found(model, [(ONE, "129"), (TWO, "129.0")]).values()
    assert (match.reason, match.other) == (Reason.SAME_MEANING, 0)
    assert match.similarity == pytest.approx(1.0)


def test_answers_that_contradict_make_two(model):
    assert not found(model, [(ONE, "129"), (TWO, "130")])


def test_answers_that_cannot_be_compared_make_two(model):
    assert not found(model, [(ONE, '{"a": 1}'), (TWO, '{"a": 1}')])
    assert not found(model, [(ONE, "x\\in S"), (TWO, "y\\in T")])


@pytest.mark.parametrize(
    ("one", "two", "is_same"),
    [
        ("find sum first 510", "find sum first 150", False),
        ("find sum first 10", "find sum first", False),
        ("find sum first 7 , 1", "find total first 1 , 1 , 7", True),
        ("find sum first 7 , 2", "find total first 1 , 1 , 7", False),
    ],
)
def test_most_of_the_numbers_must_be_the_same(model, one, two, is_same):
    assert bool(found(model, [(one, "5"), (two, "5")])) == is_same


def test_another_meaning_stays(model):
    assert not found(model, [(ONE, "129"), ("find product first ten odd", "129")])


def test_what_is_dropped_already_drops_nobody(model):
    match = Match(reason=Reason.DUPLICATE, other=2, similarity=1.0)
    assert set(found(model, [(ONE, "129"), (TWO, "129"), (TWO, "129")], {0: match})) == {2}


def test_a_model_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="embedding model"):
        found(str(tmp_path / "nowhere"), [(ONE, "129")])


def test_a_build_with_meaning(raw, model, tmp_path):
    path = raw / "math.jsonl"
    lines = [json.dumps({"problem": text, "answer": "129"}) for text in (ONE, TWO)]
    path.write_text("\n".join([path.read_text(), *lines]))
    dedup = {"semantic": {"model": model, "threshold": 0.999}}
    run(recipe_of(raw, dedup=dedup), tmp_path / "out")
    (row,) = [
        one
        for one in reasons(tmp_path / "out")["dedup", "same-meaning"]
        if one.candidate.problem == TWO
    ]
    assert row.fault.other == "train-math-deepscaler-46"
