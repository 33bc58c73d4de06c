"""A miniature of a long chain-of-thought model, for studies that take minutes instead of GPU-weeks.

`world` holds the facts and problems, `traces` the text of a verbose, fallible teacher, `miniature`
the model that is trained on that text: a directory like any other model's, with its problems.
"""
