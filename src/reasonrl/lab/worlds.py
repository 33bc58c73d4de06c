"""The worlds of the lab, by name."""

from __future__ import annotations

from collections.abc import Mapping

from reasonrl.lab.chains import ChainSpec
from reasonrl.lab.search import SearchSpec
from reasonrl.lab.world import WorldSpec

WORLDS: Mapping[str, WorldSpec] = {"chains": ChainSpec(), "search": SearchSpec()}
"""The definitions of the worlds. The first is where studies run when nobody chose a world."""
