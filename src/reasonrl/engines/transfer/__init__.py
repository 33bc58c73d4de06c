"""Weights on their way from a learner's ranks to the samplers: how they are cut, and what carries
them. Nothing here knows an engine, or Ray."""

from reasonrl.engines.transfer.shares import (
    BUCKET_BYTES,
    ShareLayout,
    Slot,
    in_parts,
    layout_of,
    rows_of,
    share,
)
from reasonrl.engines.transfer.wire import Wire, WireSeat, meeting, store_at

__all__ = [
    "BUCKET_BYTES",
    "ShareLayout",
    "Slot",
    "Wire",
    "WireSeat",
    "in_parts",
    "layout_of",
    "meeting",
    "rows_of",
    "share",
    "store_at",
]
