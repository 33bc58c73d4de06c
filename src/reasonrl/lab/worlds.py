"""The worlds of the lab, by name: the definitions of their miniatures."""

from __future__ import annotations

from collections.abc import Mapping

from reasonrl.lab.miniature import Spec
from reasonrl.lab.search import SearchSpec

WORLDS: Mapping[str, Spec] = {
    "chains": Spec(),
    # Trying one value after another is learned late; after 600 steps it is not (docs/LOG.md).
    "search": Spec(world=SearchSpec(), steps=2_000),
}
"""The first is where studies run when nobody chose a world."""
