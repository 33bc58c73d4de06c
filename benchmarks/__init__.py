"""Measurements against peers and against the machine. Run as `python -m benchmarks.NAME`."""
