"""From raw sources to a training set with a card: `reasonrl data`.

Read top-down: recipe (what is wanted), rows (a candidate and why it was dropped), sources (who has
candidates), store and workers (steps on disk, chunk by chunk), then the steps in their order: read,
clean, answers, dedup, decontaminate, publish; text, fingerprints and alike say when two are one.
"""
