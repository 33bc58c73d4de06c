"""Find problems that mean the same in other words: an option, with a static embedding model.

Every problem is compared with every earlier problem, in blocks: quadratic, a minute for 100,000. A
high cosine is not enough: "Compute sin 510" and "Compute sin 150" have the same vector and the same
answer. So the answers must be equal, and most of the numbers too. Programs are not compared,
because statements of different programs are as close, and no answer tells them apart
(docs/curation.md has the figures). Needs the extra `semantic`.
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
    """Return the rows that mean the same as an earlier row; `dropped` rows are not compared."""
    rows = [row for row in range(len(texts)) if row not in dropped and not is_tests(answers[row])]
    if not rows:
        return {}
    vectors_RD = _embedded([texts[row] for row in rows], config.model)
    matches: dict[int, Match] = {}
    for start in range(0, len(rows), _BLOCK):
        block = vectors_RD[start : start + _BLOCK]
        cosines_BR = block @ vectors_RD[: start + len(block)].T
        for in_block, other in np.argwhere(cosines_BR >= config.threshold).tolist():
            index = start + in_block
            later, earlier = rows[index], rows[other]
            if other >= index or later in matches or earlier in matches:
                continue
            if _have_same_numbers(texts[earlier], texts[later]) and is_same_answer(
                answers[earlier], answers[later]
            ):
                matches[later] = Match(
                    reason=Reason.SAME_MEANING,
                    other=earlier,
                    similarity=round(float(cosines_BR[in_block, other]), 4),
                )
    return matches


def _have_same_numbers(left: str, right: str) -> bool:
    """Return whether two thirds of the numbers of two texts are common to both."""
    ours, theirs = (Counter(filter(is_number, words(text))) for text in (left, right))
    return 3 * (ours & theirs).total() >= 2 * (ours | theirs).total()


def _embedded(texts: Sequence[str], model: str) -> npt.NDArray[np.float32]:
    """Return unit vectors [R, D]; raise ModelError if the model cannot be loaded."""
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
            f"cannot load the embedding model: {str(error).partition(chr(10))[0][:200]}",
            where=model,
            expected="a directory or a name on the hub, for example minishlab/potion-base-8M",
            remedy="set dedup.semantic.model to such a model",
        ) from error
    vectors = np.asarray(embed.encode(list(texts), use_multiprocessing=False), dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = vectors / np.maximum(lengths, 1e-9)
    return unit
