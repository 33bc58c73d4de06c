"""Downloads of a benchmark's files from the Hugging Face hub, kept in the hub's local cache.

Only files are fetched: no loading script of a data set is ever run.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from reasonrl.errors import DataError


@dataclass(frozen=True, slots=True)
class HubFiles:
    """Files of a data set on the hub; without a revision, of its newest one."""

    repository: str
    files: tuple[str, ...]
    revision: str | None = None


def download(hub: HubFiles, name: str) -> list[Path]:
    """Return local paths of the files, which are fetched if they are not in the cache.

    Raises DataError if the hub cannot be reached or does not have the files.
    """
    # The package is slow to import and local files do not need it.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    # Below ERROR the package logs a line for every retry.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
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
            expected=f"{', '.join(hub.files)} in this repository",
            remedy="check the network and HF_TOKEN, or pass a local copy with --data DIR or `path`",
        ) from error
