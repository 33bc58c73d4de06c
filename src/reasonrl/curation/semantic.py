"""Find problems that mean the same in other words: an option, with a static embedding model.

Every problem is compared with every earlier one, in blocks: quadratic, a minute for 100,000. A pair
counts if its cosine reaches the threshold and the answers do not contradict each other. Needs the
extra `semantic`. Called by `build`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reasonrl.curation.answers import is_same_answer
from reasonrl.curation.dedup import Match
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
    rows = [row for row in range(len(texts)) if row not in dropped]
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
            if is_same_answer(answers[earlier], answers[later]) is not False:
                found[later] = Match(
                    reason=Reason.SAME_MEANING,
                    other=earlier,
                    similarity=round(float(alike_BR[in_block, other]), 4),
                )
    return found


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
