"""Find the files of a raw source: below a path, or downloaded from the hub.

Only files are read: no loading script of a data set is ever run.
"""

from __future__ import annotations

import logging
import re
from fnmatch import fnmatch
from pathlib import Path

from reasonrl.curation.recipe import RawSource
from reasonrl.curation.sources.adapters import ADAPTERS
from reasonrl.data.benchmarks import benchmark_files
from reasonrl.data.benchmarks.hub import HubFiles, download
from reasonrl.data.splits import of_one_split
from reasonrl.errors import DataError

_CONVERTED = "refs/convert/parquet"  # the hub's conversion of a data set to Parquet
_HELD_OUT = re.compile(r"(?:^|/)(?:test|valid|validation|dev)(?=[-._/\d])")
_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".parquet")


def source_files(source: RawSource) -> list[Path]:
    """Return the files of a source in the order of their names.

    Raises DataError if there are no files, if a folder holds several splits and the source names
    none, or if the hub cannot be reached.
    """
    path = source.path
    if source.type == "gsm8k" and source.split is not None:
        return benchmark_files("gsm8k", path, source.split)
    if path is None:
        return _from_hub(source)
    if path.is_file():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.name.lower().endswith(_SUFFIXES))
    if not files:
        raise DataError(
            "no such file or directory" if not path.exists() else "no files of rows here",
            where=str(path),
            expected=f"a file that ends in one of {', '.join(_SUFFIXES)}, or a directory of them",
            remedy="correct the path, or leave it out to fetch the source from the hub",
        )
    return of_one_split(files, path, source.split)


def _from_hub(source: RawSource) -> list[Path]:
    # Imported here because it is slow, and local files do not need it.
    from huggingface_hub import HfApi
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
    """Return whether a file belongs to a source; a test split does only if a pattern names it."""
    return any(
        fnmatch(name, pattern) and ("test" in pattern or not _HELD_OUT.search(name))
        for pattern in patterns
    )
