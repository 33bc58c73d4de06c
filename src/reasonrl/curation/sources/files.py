"""Find the files of a raw source: a path, or downloads from the hub.

Files only: no loading script of a data set is ever run. Called by `build`.
"""

from __future__ import annotations

import logging
import re
from fnmatch import fnmatch
from pathlib import Path

from reasonrl.curation.recipe import RawSource
from reasonrl.curation.sources.adapters import ADAPTERS
from reasonrl.data.benchmarks.hub import HubFiles, download
from reasonrl.errors import DataError

_CONVERTED = "refs/convert/parquet"  # where the hub keeps its own Parquet of a data set
_HELD_OUT = re.compile(r"(?:^|/)(?:test|valid|validation|dev)(?=[-._/\d])")
_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".parquet")


def source_files(source: RawSource) -> list[Path]:
    """Return the files of a source in the order of their names.

    Raises DataError when there are none, or when the hub cannot be reached.
    """
    path = source.path
    if path is None:
        return _from_hub(source)
    if path.is_file():
        return [path]
    found = sorted(one for one in path.rglob("*") if one.name.lower().endswith(_SUFFIXES))
    if not found:
        raise DataError(
            "no such file or directory" if not path.exists() else "no files of rows here",
            where=str(path),
            expected=f"a file that ends in one of {', '.join(_SUFFIXES)}, or a directory of them",
            remedy="correct the path, or leave it out to fetch the source from the hub",
        )
    return found


def _from_hub(source: RawSource) -> list[Path]:
    from huggingface_hub import HfApi  # slow to import, and local files need none of it
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    adapter = ADAPTERS[source.type]
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        for revision in (None, _CONVERTED):
            names = HfApi().list_repo_files(
                adapter.repository, repo_type="dataset", revision=revision
            )
            wanted = [name for name in sorted(names) if _is_wanted(name, adapter.files)]
            if wanted:
                hub = HubFiles(adapter.repository, tuple(wanted), revision)
                return download(hub, source.type)
    except (HTTPError, OSError) as error:
        raise DataError(
            f"cannot list {source.type} on the hub: {str(error).strip().partition(chr(10))[0]}",
            where=adapter.repository,
            remedy="check the network and HF_TOKEN, or give a local copy with `path`",
        ) from error
    raise DataError(
        f"no files of {source.type} on the hub",
        where=adapter.repository,
        expected=" or ".join(adapter.files),
        remedy="give a local copy with `path`",
    )


def _is_wanted(name: str, patterns: tuple[str, ...]) -> bool:
    """Say whether a file is one of a source's; test splits only where they are asked for."""
    return any(
        fnmatch(name, pattern) and ("test" in pattern or not _HELD_OUT.search(name))
        for pattern in patterns
    )
