"""Runs of a benchmark on the lab's miniature: recipes with changes, trained side by side once."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from reasonrl.api import load_recipe, train
from reasonrl.run.layout import SUMMARY

LAB = """
name = "NAME"
[model]
name = "MODEL"
[data]
sources = [{ type = "file", path = "DATA" }]
DIFFICULTY
[rollout]
prompts_per_step = 16
group_size = 16
max_new_tokens = 76
[update]
learning_rate = 3e-4
[entropy]
mode = "none"
[engine]
threads = 1
token_budget = 8192
max_rows = 256
[checkpoint]
every = 50
keep = 1
[[suite]]
name = "heldout"
sources = [{ type = "file", path = "HELDOUT" }]
k = 1
max_new_tokens = 96
every = 10
STAGES
"""
"""The base recipe: on-policy, without an entropy term. `lab_recipe` fills its capitals in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A run of a benchmark: its directory, its recipe, and changes to the recipe.

    `recipe` is TOML, or the name of a shipped recipe. `files` are texts by name that are written
    beside the recipe; `{folder}` in a change stands for their folder.
    """

    directory: Path
    recipe: str
    overrides: tuple[str, ...]
    sickness: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def folder(self) -> Path:
        """Return the folder of the recipe and the files beside it."""
        return self.directory.parent / "recipes" / self.name

    @property
    def is_done(self) -> bool:
        return (self.directory / SUMMARY).exists()


def lab_recipe(
    name: str,
    miniature: Path,
    stages: Sequence[int],
    *,
    problems: Path | None = None,
    is_filtered: bool = True,
    more: str = "",
) -> str:
    """Return the base recipe as TOML, with the steps of each stage and `more` behind it.

    `problems` takes the place of the miniature's own; `is_filtered` leaves out what the miniature
    always or never solves.
    """
    text = LAB
    for word, value in {
        "NAME": name,
        "MODEL": str(miniature),
        "DATA": str(problems or miniature / "train.jsonl"),
        "HELDOUT": str(miniature / "heldout.jsonl"),
        "DIFFICULTY": 'difficulty = { model = "miniature" }' if is_filtered else "",
        "STAGES": "".join(f"[[stage]]\nsteps = {steps}\n" for steps in stages) + more,
    }.items():
        text = text.replace(word, value)
    return text


def make(planned: Planned) -> tuple[str, str]:
    """Make one run; return its name and its error, empty without one."""
    source: Path | str = planned.recipe
    if "\n" in planned.recipe:
        planned.folder.mkdir(parents=True, exist_ok=True)
        source = planned.folder / "recipe.toml"
        for name, text in {**planned.files, "recipe.toml": planned.recipe}.items():
            (planned.folder / name).write_text(text, encoding="utf-8")
    shutil.rmtree(planned.directory, ignore_errors=True)
    try:
        changes = [one.replace("{folder}", str(planned.folder)) for one in planned.overrides]
        train(load_recipe(source, changes), planned.directory, quiet=True)
    except Exception as error:  # noqa: BLE001  (a run that fails is told, and the others go on)
        return planned.name, f"{type(error).__name__}: {error}"
    return planned.name, ""


def make_all(runs: Sequence[Planned], workers: int) -> None:
    """Make the runs that are not done, side by side."""
    left = [run for run in runs if not run.is_done]
    if not left:
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for n, done in enumerate(as_completed([pool.submit(make, run) for run in left]), start=1):
            name, error = done.result()
            print(f"{n}/{len(left)} {name} {error}", flush=True)
