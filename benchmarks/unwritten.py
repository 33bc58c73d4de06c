"""The doctor on recipes that were broken in ways that no rule was written for.

    python -m benchmarks.unwritten [--round 1 ...] [--out runs/unwritten]

Each round has three recipes. They were broken after the rules of that time were fixed, from the
second round on by a person who had read the user's documentation and knew no rule. A rule that came
out of a round is scored on the rounds after it alone; docs/doctor.md has what was said at the time.
A run takes about half a minute.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.common import DocstringHelp
from benchmarks.lab_runs import Planned, lab_recipe, make
from reasonrl.lab.miniature import Spec, ensure
from reasonrl.run.prescriptions import examine_run
from reasonrl.terminal import Console

Problem = Mapping[str, Any]

FLIPPED = '''"""Advantages that reward what is wrong."""

from statistics import fmean


def flipped(rewards, truncated):
    mean = fmean(rewards)
    return [mean - reward for reward in rewards]
'''

UNSORTED = '''"""Grade equal responses once; the values come back in the order of sorted texts."""

import re
from itertools import groupby


def grade(record):
    boxes = re.findall(r"\\\\boxed\\{\\s*(\\S+?)\\s*\\}", record.answer)
    right = boxes and boxes[-1] == record.problem.answer
    return 1.0 if right and not record.is_truncated else 0.0


def text_of(record):
    return record.response


def graded(records):
    values = []
    for _, same in groupby(sorted(records, key=text_of), key=text_of):
        same = list(same)
        values += [grade(same[0])] * len(same)
    return values
'''

TAGGED = '''"""Look for the answer between tags, as a tutorial for other prompts does."""


def correct(record):
    found = record.response.split("<answer>")[-1].split("</answer>")[0].strip()
    return 2.0 if found == record.problem.answer else 0.0
'''

CACHED = '''"""Verdicts kept by problem, so that nothing is judged twice."""

_seen = {}


def score(record):
    return _seen.setdefault(record.problem.id, float(bool(record.is_right)))
'''

_UNWEIGHTED = '{ type = "verifier", weight = 0.0 }'


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A broken recipe: what its user did, as changes of the base, and files beside it.

    `{folder}` in a setting is the folder of the files. `spoil` makes the problem file from the
    miniature's problems.
    """

    what: str
    settings: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    spoil: Callable[[Problem], Problem] | None = None


ROUNDS: Mapping[int, tuple[Broken, ...]] = {
    1: (
        Broken(what="a temperature of 3", settings=("rollout.temperature=3.0",)),
        Broken(what="a weight decay of 300", settings=("optimizer.weight_decay=300.0",)),
        Broken(
            what="advantages with the wrong sign",
            settings=("update.advantage={folder}/flipped.py:flipped",),
            files={"flipped.py": FLIPPED},
        ),
    ),
    2: (
        Broken(
            what="a reward function that returns its values in another order than the rollouts",
            settings=(
                f'reward=[{_UNWEIGHTED}, {{ type = "function", name = "graded", '
                'function = "{folder}/graded.py:graded", batch = true }]',
            ),
            files={"graded.py": UNSORTED},
        ),
        Broken(
            what="prompts that lost their last character",
            settings=(),
            spoil=lambda problem: {**problem, "prompt": problem["prompt"][:-1]},
        ),
        Broken(what="a stop text before the answer", settings=('model.stop=["</think>"]',)),
    ),
    3: (
        Broken(
            what="a reward that reads a form which the model never writes",
            settings=(
                f'reward=[{_UNWEIGHTED}, {{ type = "function", name = "correct", '
                'function = "{folder}/rewards.py:correct" }]',
            ),
            files={"rewards.py": TAGGED},
        ),
        Broken(what="a chat model asked without its template",
               settings=("model.prompt_style=plain",)),
        Broken(what="one problem a step, four rollouts",
               settings=("rollout.prompts_per_step=1", "rollout.group_size=4")),
    ),
    4: (
        Broken(what="a KL penalty of 20", settings=("update.kl_coefficient=20.0",)),
        Broken(
            what="a reward function that keeps the first verdict of a problem for all its rollouts",
            settings=(
                f'reward=[{_UNWEIGHTED}, {{ type = "function", name = "mine", '
                'function = "{folder}/cached.py:score" }]',
            ),
            files={"cached.py": CACHED},
        ),
        Broken(what="a model that was never trained", settings=("model.name=tiny",)),
    ),
}  # fmt: skip


def planned(broken: Broken, miniature: Path, directory: Path) -> Planned:
    """Return the run of 40 steps of a broken recipe."""
    files, changes = dict(broken.files), broken.settings
    if broken.spoil is not None:
        lines = (miniature / "train.jsonl").read_text(encoding="utf-8").splitlines()
        spoiled = [json.dumps(broken.spoil(json.loads(line))) + "\n" for line in lines]
        files["problems.jsonl"] = "".join(spoiled)
        changes = ('data.sources=[{ type = "file", path = "{folder}/problems.jsonl" }]', *changes)
    return Planned(
        directory=directory,
        recipe=lab_recipe("broken", miniature, [40]),
        overrides=("seed=5", *changes),
        files=files,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("--round", type=int, nargs="*", choices=list(ROUNDS), default=list(ROUNDS))
    parser.add_argument("--out", type=Path, default=Path("runs/unwritten"))
    given = parser.parse_args()
    miniature = ensure(Spec(), 1, Console()).directory
    for number in given.round:
        for n, broken in enumerate(ROUNDS[number], start=1):
            run = planned(broken, miniature, given.out.resolve() / f"round-{number}-{n}")
            _, error = make(run)
            print(f"round {number}, {broken.what}: {error}", flush=True)
            for one in [] if error else examine_run(run.directory):
                print(f"  {one.finding.rule}: {one.finding.sentence}", flush=True)


if __name__ == "__main__":
    main()
