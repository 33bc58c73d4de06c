"""What a called solution finds beside its own names."""

from __future__ import annotations

import builtins
import collections
import datetime
import math

from reasonrl.verify.sandbox.program import prelude


def test_no_name_of_the_prelude_hides_a_builtin() -> None:
    assert not [name for name in prelude() if hasattr(builtins, name)]


def test_the_prelude_holds_what_public_judges_import() -> None:
    names = prelude()

    assert names["gcd"] is math.gcd
    assert names["deque"] is collections.deque
    assert names["datetime"] is datetime.datetime
    assert {"List", "Optional", "heapq", "heappush", "lru_cache", "inf"} <= names.keys()
