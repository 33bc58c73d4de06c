from __future__ import annotations

from collections.abc import Iterator

import pytest

from reasonrl.verify import Verifier


@pytest.fixture(scope="session")
def verifier() -> Iterator[Verifier]:
    # One pool for all tests: its first worker loads sympy, which takes seconds. The deadline is
    # far above what any case needs, so that a busy machine changes no verdict.
    with Verifier(workers=1, deadline_s=60.0) as shared:
        yield shared
