"""The manifest of a training set: hashes, the counts of every step and source, versions.

It holds no time and no path of a machine, so two builds of the same recipe, files and code have the
same manifest and the same hash.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from reasonrl import __version__
from reasonrl.atomic import read_record, write_atomic
from reasonrl.curation.publish import Published
from reasonrl.curation.recipe import HOW, DataRecipe, model_name
from reasonrl.curation.store import StepCounts, finished_steps
from reasonrl.errors import CheckpointError

MANIFEST = "manifest.json"
_REBUILD = "rerun reasonrl data build RECIPE.toml, which writes it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a training set was made of; `hash` is over all other fields."""

    name: str
    reasonrl: str
    recipe: dict[str, Any]
    steps: tuple[StepCounts, ...]
    files: tuple[Published, ...]
    hash: str = ""


def write_manifest(directory: Path, recipe: DataRecipe, published: Sequence[Published]) -> Manifest:
    """Write the manifest of a finished build and return it."""
    unhashed = Manifest(
        name=recipe.name,
        reasonrl=__version__,
        recipe=_without_paths(recipe.model_dump(mode="json", exclude=HOW)),
        steps=tuple(report.counts for _, report in finished_steps(directory)),
        files=tuple(published),
    )
    whole = {**asdict(unhashed), "hash": _hash(unhashed)}
    write_atomic(directory / MANIFEST, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    return read_manifest(directory)


def read_manifest(directory: Path) -> Manifest:
    """Return a build's manifest; raise CheckpointError if it is missing or was changed."""
    path = directory / MANIFEST
    if not path.exists():
        raise CheckpointError(
            "no manifest: the build is not finished", where=str(directory), remedy=_REBUILD
        )
    manifest = read_record(
        path, TypeAdapter(Manifest), expected="the manifest of a build", remedy=_REBUILD
    )
    if manifest.hash != _hash(replace(manifest, hash="")):
        raise CheckpointError(
            "the manifest was changed after the build", where=str(path), remedy=_REBUILD
        )
    return manifest


def _hash(unhashed: Manifest) -> str:
    plain = json.dumps(asdict(unhashed), sort_keys=True, ensure_ascii=False)
    return sha256(plain.encode()).hexdigest()


def _without_paths(node: Any, key: str = "") -> Any:
    """Return a recipe's tables with the last part of every path."""
    if isinstance(node, dict):
        return {key: _without_paths(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_paths(item) for item in node]
    if isinstance(node, str) and key in ("path", "model"):
        return Path(node).name if key == "path" else model_name(node)
    return node
