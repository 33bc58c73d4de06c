"""How tokens are spelled: the text of each token of a rollout, by the run's own tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from reasonrl.errors import ReasonRLError
from reasonrl.run.config import read_config
from reasonrl.run.layout import MODEL, START

if TYPE_CHECKING:
    from reasonrl.models.tokenizer import HFTokenizer


@lru_cache(maxsize=8)
def speller(run: Path) -> Callable[[Sequence[int]], list[str]] | None:
    """Return the function from ids to the text of each token; None where no tokenizer is at hand.

    A model that is not on this machine is not fetched for it.
    """
    from reasonrl.models.fetch import is_at_hand
    from reasonrl.models.hf import load_tokenizer

    name = read_config(run).model.name
    places = [str(path) for path in (run / MODEL, run / START) if path.is_dir()]
    for place in (*places, *([name] if is_at_hand(name) else [])):
        try:
            tokenizer, _ = load_tokenizer(place)
        except (ReasonRLError, OSError, ValueError):
            continue

        return partial(_spelled, tokenizer.hf)
    return None


def _spelled(hf: HFTokenizer, tokens: Sequence[int]) -> list[str]:
    return [hf.decode([token], skip_special_tokens=False) for token in tokens]
