"""The Python API: what the commands do, as functions; and a finished or running run as tables.

`import reasonrl` offers the same names and loads this package at their first use. Read top-down:
calls (train, resume, evaluate, grade), tables (a run and an evaluation, as Arrow), recipes.
"""

from reasonrl.api.calls import evaluate, grade, resume, train
from reasonrl.api.recipes import load_recipe
from reasonrl.api.tables import Evaluation, Run

__all__ = ["Evaluation", "Run", "evaluate", "grade", "load_recipe", "resume", "train"]
