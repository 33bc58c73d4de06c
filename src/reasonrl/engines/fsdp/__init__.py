"""The FSDP2 engine: learning on many ranks; each holds a part of every weight and moment."""

from reasonrl.engines.fsdp.engine import FsdpLearner
from reasonrl.engines.fsdp.ranks import Ranks, join

__all__ = ["FsdpLearner", "Ranks", "join"]
