"""Measurements against other systems and against the machine: `python -m benchmarks.NAME`."""
