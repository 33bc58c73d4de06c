"""Whose fault it is: a task that cannot be judged gives no reward, and no program can bring it about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier() as shared:
        yield shared
