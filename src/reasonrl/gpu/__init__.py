"""The check of a machine with a GPU: questions that only a card can answer, one process for each.

`rows` has the questions, `check` asks them, `asking` answers one of them in its own process.
"""
