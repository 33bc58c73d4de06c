"""The shape of a recipe's model: from the table, a directory, the hub's cache, or the hub itself.

Only config.json is fetched, never a weight. Loads neither torch nor transformers.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasonrl.planning.configs import CONFIG, known_shape, read_shape, shape_in, unknown_shape
from reasonrl.planning.shapes import ModelShape
from reasonrl.run.layout import MODEL, is_run

if TYPE_CHECKING:
    from reasonrl.models.hf import LanguageModel

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def shape_of_model(name: str) -> ModelShape:
    """Return the shape of a recipe's model; a hub id that nothing here knows is looked up there.

    Raises ConfigError for a name that leads to no config.json, and for a config.json of a model
    that training refuses.
    """
    if is_run(Path(name)):
        return read_shape(Path(name) / MODEL / CONFIG)
    known = known_shape(name)
    if known is not None:
        return known
    if not _HUB_ID.fullmatch(name):
        raise unknown_shape(
            name, "neither a published model of the table, a directory nor a hub id"
        )
    return read_shape(fetch_config(name))


def fetch_config(name: str) -> Path:
    """Return the config.json of a hub id, from the hub's cache or else from the hub.

    Raises ConfigError when neither has it.
    """
    # The package is slow to import, and most plans do not need it.
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    cached = try_to_load_from_cache(name, CONFIG)
    if isinstance(cached, str):
        return Path(cached)
    # Below ERROR the package logs a line for every retry.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return Path(hf_hub_download(name, CONFIG))
    except (HTTPError, OSError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0] or type(error).__name__
        raise unknown_shape(name, f"its {CONFIG} cannot be fetched: {first_line}") from error


def shape_of_loaded(model: LanguageModel) -> ModelShape:
    """Return the shape of a model of the native backend that is loaded, or of its outline."""
    module: Any = model.module
    return shape_in(module.config.to_dict(), Path(model.name))
