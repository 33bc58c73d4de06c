"""Reinforcement learning that makes language models reason: the Skywork-OR1 system, complete.

docs/api.md shows how to train, evaluate and grade from Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reasonrl.api import Evaluation, Run, evaluate, grade, load_recipe, resume, train

__version__ = "0.1.0"
__all__ = ["Evaluation", "Run", "evaluate", "grade", "load_recipe", "resume", "train"]


def __getattr__(name: str) -> object:
    """Load the API at the first use of one of its names, so that the package imports quickly."""
    if name in __all__:
        from reasonrl import api

        return getattr(api, name)
    raise AttributeError(f"module 'reasonrl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
