"""How good is a model: k samples of a suite, estimates with intervals, comparisons, results.

Read in this order: options (what is asked), suite (sample and judge what is missing), journal (the
samples on disk), score (from samples to estimates), results (results.json), table13 (the report's).
Knows engine and judge by their protocols only; the trainer evaluates through `suite` as well.
"""
