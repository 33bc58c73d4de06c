"""A miniature of a long chain-of-thought model, for studies that take minutes instead of GPU-weeks.

`world` holds the facts and problems, `traces` what a verbose, fallible teacher writes, `miniature`
the model made of them: a directory like any other model's, with its problems beside it.
"""
