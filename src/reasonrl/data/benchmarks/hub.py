"""Fetch a benchmark's files from the Hugging Face hub, once; its cache serves them afterwards.

Files only: no loading script of a data set is ever run.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from reasonrl.errors import DataError


@dataclass(frozen=True, slots=True)
class HubFiles:
    """Name files of a data set on the hub, of its newest revision unless one is given."""

    repository: str
    files: tuple[str, ...]
    revision: str | None = None


def download(hub: HubFiles, name: str) -> list[Path]:
    """Return local paths of the files, fetched if the cache has none.

    Raises DataError when the hub cannot be reached or does not have them.
    """
    from huggingface_hub import hf_hub_download  # slow to import, and local files need none of it
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries, a line each
    try:
        return [
            Path(hf_hub_download(hub.repository, file, repo_type="dataset", revision=hub.revision))
            for file in hub.files
        ]
    except (HTTPError, OSError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise DataError(
            f"cannot fetch {name} from the hub: {first_line or type(error).__name__}",
            where=hub.repository,
            expected=f"{', '.join(hub.files)} there",
            remedy="check the network and HF_TOKEN, or give a local copy: --data DIR, or `path`",
        ) from error
