"""Train, resume, evaluate and grade from Python. The command line calls these functions.

All errors that a caller can mend are `reasonrl.errors.ReasonRLError`, in the words of the commands.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

from reasonrl.api.recipes import Overrides, load_recipe, overrides_of
from reasonrl.api.tables import Evaluation, Run
from reasonrl.errors import ConfigError
from reasonrl.recipe import Recipe
from reasonrl.terminal import Console
from reasonrl.types import Kind, StopReason, Task, Verdict

if TYPE_CHECKING:
    from reasonrl.engines.protocols import LearnerEngine, RolloutEngine
    from reasonrl.launch.own import Callback, Own
    from reasonrl.rollout.judge import Judge

PathLike: TypeAlias = str | os.PathLike[str]


class OwnParts(TypedDict, total=False):
    """A caller's own parts of a run, in place of those that the recipe asks for.

    `problems` are the rows of sources of type "given", by name; a row is a dictionary, as a line of
    a problem file is. `on_step` is called with each step's metrics; if it returns True, the run
    stops there with a checkpoint. `judge` maps items to verdicts in the verifier's place. `rollout`
    and `learner` are engines (`reasonrl.engines.protocols`, provisional).
    """

    problems: Mapping[str, Iterable[Mapping[str, object]]]
    on_step: Callback
    judge: Judge
    rollout: RolloutEngine
    learner: LearnerEngine


class EvalSettings(TypedDict, total=False):
    """The settings of an evaluation, in place of a suite's own; the options of `reasonrl eval`."""

    k: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    max_new_tokens: int | None
    limit: int | None
    data: Path | None
    style: str | None
    system_prompt: str | None
    unboxed: bool
    seeds: Sequence[int]


def train(
    recipe: Recipe | PathLike,
    directory: PathLike | None = None,
    *,
    overrides: Overrides = (),
    start_from: PathLike = "",
    state_from: PathLike = "",
    address: str | None = None,
    quiet: bool = False,
    console: Console | None = None,
    **own: Unpack[OwnParts],
) -> Run:
    """Train as a recipe says, and return the run, finished or stopped.

    `recipe` is a file, a shipped recipe's name, or a `Recipe`; `overrides` change a file's values.
    The run is kept in `directory`, runs/NAME-DATE if left out. It begins with the weights of
    `start_from`, RUN or RUN@STEP, if given, or where `state_from` stands: with its optimizer, steps
    and record too. Ctrl-C stops it after the step. `address` is a Ray cluster's. Raises ConfigError
    and DataError for what is wrong, before anything is written.
    """
    from reasonrl.launch.train import train as launch

    if isinstance(recipe, Recipe) and overrides:
        raise ConfigError(
            "a Recipe is whole already, and overrides would be ignored",
            where="reasonrl.train",
            remedy="pass them to load_recipe, or pass the recipe's file to train",
        )
    parsed = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, overrides)
    chosen = Path(directory) if directory is not None else run_directory(parsed)
    launch(
        parsed,
        chosen,
        console or Console(is_quiet=quiet),
        address=address,
        branch_of=os.fspath(start_from),
        state_of=os.fspath(state_from),
        own=_own(own),
    )
    return Run(chosen)


def resume(
    directory: PathLike,
    *,
    overrides: Overrides = (),
    address: str | None = None,
    quiet: bool = False,
    console: Console | None = None,
    **own: Unpack[OwnParts],
) -> Run:
    """Continue a run from its newest checkpoint, and return it.

    Own parts are not stored: pass those that the run began with. `overrides` may change what
    decides no number of the steps that were taken, `{"stage.2.steps": 90}` for example.
    """
    from reasonrl.launch.train import resume as launch

    launch(
        Path(directory),
        console or Console(is_quiet=quiet),
        address=address,
        overrides=overrides_of(overrides),
        own=_own(own),
    )
    return Run(directory)


def evaluate(
    model: PathLike,
    suites: str | Sequence[str] = (),
    *,
    recipe: PathLike | None = None,
    compare: PathLike | None = None,
    directory: PathLike | None = None,
    overrides: Overrides = (),
    address: str | None = None,
    quiet: bool = False,
    console: Console | None = None,
    problems: Mapping[str, Iterable[Mapping[str, object]]] | None = None,
    judge: Judge | None = None,
    rollout: RolloutEngine | None = None,
    **settings: Unpack[EvalSettings],
) -> Evaluation:
    """Evaluate a model on suites; the same call continues a stopped evaluation.

    `model` is anything that `reasonrl eval` takes, or a `Run`. Suites are names of benchmarks,
    files of problems, or suites of the recipe; without any, all suites of the recipe or of the run.
    `compare` is another model to compare `model` with. Results are kept in `directory`, below
    `evals` if left out.
    """
    from reasonrl.launch.evaluate import evaluate as launch
    from reasonrl.launch.models import plain_name, unused_settings
    from reasonrl.launch.request import EvalOptions, load_base, named_directory, settle
    from reasonrl.recipe.named import recipe_path

    names = (suites,) if isinstance(suites, str) else tuple(suites)
    name = plain_name(os.fspath(model))
    other = None if compare is None else plain_name(os.fspath(compare))
    options = EvalOptions(suites=names, overrides=overrides_of(overrides), **settings)
    base = load_base(recipe_path(os.fspath(recipe)) if recipe else None, name, names)
    console = console or Console(is_quiet=quiet)
    is_plain = base is None and options.system_prompt is None and not options.unboxed
    if is_plain and (unused := unused_settings(name)):
        console.note(unused)
    request = settle(base, options)
    chosen = Path(directory) if directory is not None else named_directory(request, name)
    parts: Any = {"problems": problems or {}, "judge": judge, "rollout": rollout}
    results = launch(
        request,
        [name] if other is None else [other, name],
        chosen,
        console,
        address=address,
        own=_own(parts),
    )
    return Evaluation(directory=chosen, results=results)


def grade(
    response: str,
    answer: str,
    *,
    kind: str = Kind.MATH,
    truncated: bool = False,
    deadline_s: float | None = None,
) -> Verdict:
    """Return the verifier's verdict on a response: `.reward`, `.status`, `.reason`, `.extracted`.

    `answer` is the key: for "math" the gold answer, for "code" a JSON object with the tests
    (docs/verifiers.md). `truncated` says that the response was cut off. Safe in a notebook.
    """
    from reasonrl.verify import verify

    return verify(
        Task(kind=Kind(kind), answer=answer),
        response,
        stop_reason=StopReason.LENGTH if truncated else StopReason.STOP,
        deadline_s=deadline_s,
    )


def run_directory(recipe: Recipe) -> Path:
    """Return the directory of a new run: runs/NAME-DATE."""
    return Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _own(parts: OwnParts) -> Own:
    from reasonrl.launch.own import Own

    rows = {name: list(given) for name, given in parts.get("problems", {}).items()}
    return Own(
        rollout=parts.get("rollout"),
        learner=parts.get("learner"),
        judge=parts.get("judge"),
        problems=rows,
        on_step=parts.get("on_step"),
    )
