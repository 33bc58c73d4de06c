"""Find problems that mean the same in other words: an option, with a static embedding model.

Every problem is compared with every earlier one, in blocks: quadratic, a minute for 100,000. To be
close is not enough: "Compute sin 510" and "Compute sin 150" have one vector and one answer. So the
answers must be equal, and most of the numbers. Programs are not compared, for statements of other
programs are as close and no answer tells them apart (docs/curation.md has the figures). Needs the
extra `semantic`. Called by `build`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reasonrl.curation.answers import is_same_answer, is_tests
from reasonrl.curation.likeness.dedup import Match
from reasonrl.curation.likeness.words import is_number, words
from reasonrl.curation.recipe import SemanticConfig
from reasonrl.curation.rows import Reason
from reasonrl.errors import ConfigError, ModelError

_BLOCK = 2_048


def find_same_meaning(
    texts: Sequence[str],
    answers: Sequence[str],
    dropped: Mapping[int, Match],
    config: SemanticConfig,
) -> dict[int, Match]:
    """Return the rows that mean the same as an earlier one; what is `dropped` is not asked."""
    rows = [row for row in range(len(texts)) if row not in dropped and not is_tests(answers[row])]
    if not rows:
        return {}
    vectors_RD = _embedded([texts[row] for row in rows], config.model)
    found: dict[int, Match] = {}
    for start in range(0, len(rows), _BLOCK):
        block = vectors_RD[start : start + _BLOCK]
        alike_BR = block @ vectors_RD[: start + len(block)].T
        places = np.argwhere(alike_BR >= config.threshold)
        for in_block, other in places.tolist():
            place = start + in_block
            later, earlier = rows[place], rows[other]
            if other >= place or later in found or earlier in found:
                continue
            if _have_same_numbers(texts[earlier], texts[later]) and is_same_answer(
                answers[earlier], answers[later]
            ):
                found[later] = Match(
                    reason=Reason.SAME_MEANING,
                    other=earlier,
                    similarity=round(float(alike_BR[in_block, other]), 4),
                )
    return found


def _have_same_numbers(one: str, two: str) -> bool:
    """Say whether two thirds of the numbers of two texts are common to both."""
    first, second = (Counter(filter(is_number, words(text))) for text in (one, two))
    return 3 * (first & second).total() >= 2 * (first | second).total()


def _embedded(texts: Sequence[str], model: str) -> npt.NDArray[np.float32]:
    """Return unit vectors [R, D]; raise ModelError when the model cannot be had."""
    try:
        from model2vec import StaticModel
    except ModuleNotFoundError as error:
        raise ConfigError(
            "model2vec is not installed", remedy='pip install "reasonrl[semantic]"'
        ) from error
    try:
        embed = StaticModel.from_pretrained(model, force_download=False)
    except Exception as error:
        raise ModelError(
            f"cannot load an embedding model: {str(error).partition(chr(10))[0][:200]}",
            where=model,
            expected="a directory or a name on the hub, for example minishlab/potion-base-8M",
        ) from error
    vectors = np.asarray(embed.encode(list(texts), use_multiprocessing=False), dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = vectors / np.maximum(lengths, 1e-9)
    return unit
