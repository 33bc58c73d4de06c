"""A step's time and memory, by phase."""

from __future__ import annotations

import resource
import sys
import time

from reasonrl.types import Row


class StepClock:
    """Split a step's wall time into named laps; the rest is `time/other_s`."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._laps: Row = {}

    def lap(self, name: str) -> None:
        """Count the time since the last lap under a name."""
        now = time.perf_counter()
        self._laps[name] = now - self._last
        self._last = now

    def finish(self) -> Row:
        """Return the laps, the rest, the step's time, and the peak of this process's memory."""
        now = time.perf_counter()
        # Linux counts in KiB, macOS in bytes.
        unit = 1e-6 if sys.platform == "darwin" else 1.024e-3
        return {
            **self._laps,
            "time/other_s": now - self._last,
            "time/step_s": now - self._started,
            "memory/peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        }
