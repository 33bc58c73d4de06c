"""From raw sources to a training set with a card: `reasonrl data`.

Read in this order: recipe (what a build is asked for), rows (a candidate, and why one is dropped),
sources (which files and rows the candidates come from), store and workers (steps on disk, chunk by
chunk), clean and answers (a row judged alone), likeness (when two problems are the same), ratings
(difficulty and quality), steps (the work on one chunk), resume (a step from where it stopped),
build (all steps in order), publish and manifest (what comes out), lookup (questions about a build).
"""
