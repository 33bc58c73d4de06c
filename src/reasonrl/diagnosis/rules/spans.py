"""How many steps must show a sickness: one step of sampling says little."""

ROW = 3
"""Steps in a row."""

LONG_ROW = 5
"""The same for what a random model shows in its first steps, and leaves by itself."""

SLOW_ROW = 8
"""Steps whose means are compared where a change comes step by step."""

LOST = 0.8
"""The share of its start below which an accuracy of three steps counts as lower."""

ANSWERED = 0.3
"""The share of rollouts that go on behind their answer which no limit can help."""
