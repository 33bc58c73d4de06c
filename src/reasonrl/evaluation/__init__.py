"""How good a model is: k samples of a suite, estimates with intervals, comparisons, results.

Read in this order: suite (sample and judge what is missing), journal (the samples on disk), score
(from samples to estimates), results (results.json), table13 (the report's results). Knows engine
and judge only by their protocols. Training and `reasonrl eval` both evaluate through `suite`.
"""
