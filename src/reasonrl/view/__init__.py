"""A local web page of runs: curves, every rollout, every token. Reads the runs, and writes nothing.

`store` reads one run's files, `tokens` spells tokens, `server` answers a browser on this machine.
The page itself is in `static/`: plain modules without a build, and uPlot for the curves.
"""
