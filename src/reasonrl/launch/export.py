"""Release a run's model: a directory that plain transformers loads, with a card that says it all.

Written beside its place and moved there whole, after plain transformers has scored some of the
model's answers as the training engine does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from reasonrl import __version__
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import use_threads
from reasonrl.errors import ConfigError, EngineError, StorageError
from reasonrl.evaluation.results import RESULTS, EvalResults, read_results
from reasonrl.launch.engines import local_engine
from reasonrl.launch.judges import judge_with, make_verifier
from reasonrl.launch.models import Place, find_model, open_model, take_over
from reasonrl.launch.request import BENCHMARKS
from reasonrl.models import fetch
from reasonrl.models.hf import TINY, LanguageModel
from reasonrl.models.plain import score_plainly
from reasonrl.recipe import Recipe
from reasonrl.recipe.toml import dump_table
from reasonrl.report.card import CardFacts, render_card
from reasonrl.report.drawing.scale import spread
from reasonrl.rollout.pools import encode_pools, load_problem_lists, sources_of
from reasonrl.rollout.problems import EncodedProblem, turns_of
from reasonrl.run import checkpoint
from reasonrl.run.layout import DATA, PICTURE, SUMMARY
from reasonrl.run.problem_sets import read_manifest
from reasonrl.run.record import RunRecorder
from reasonrl.terminal import Console
from reasonrl.types import Completion, Prompt, Sampling, VerifyItem

_ANSWERS, _TOKENS = 8, 64  # answers that are compared, and the most tokens of one
_CLOSE = 1e-3  # nats between two float32 computations of a log-probability
_CARD = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Say where an export is and what was compared: answers, tokens, the largest difference."""

    directory: Path
    answers: int
    tokens: int
    gap_nats: float


def export(
    run: str, directory: Path, console: Console, *, license_id: str, evaluations: Sequence[Path]
) -> Exported:
    """Write a run's model to a new directory.

    Raises ConfigError when there is no run or the directory exists, EngineError when plain
    transformers does not score the model's answers alike.
    """
    place = find_model(run)
    recipe = place.recipe()
    if recipe is None or place.run is None:
        raise ConfigError("no run here", where=run, expected="a directory of `reasonrl train`")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(
            "exists already, and is not empty",
            where=str(directory),
            remedy="choose another directory",
        )
    use_threads(recipe.engine.threads)
    console.note(f"loading {place.name}")
    model = open_model(place, device=recipe.engine.device)
    scratch = directory.with_name(f".{directory.name}.writing")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        exact = recipe.engine.model_copy(update={"compute": "float32"})
        with local_engine(model, exact, recipe.optimizer) as engine:
            take_over(place, engine)
            others = _results_of(evaluations, model.digest())
            _write_model(model, scratch)
            checked = check_export(scratch, directory, model, engine, recipe)
        _write_papers(place, recipe, scratch, license_id, others, checked)
        _write_evaluations(others, scratch)
        scratch.rename(directory)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"could not write the export: {error}",
            where=str(directory),
            remedy="check the place and its space",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return checked


def _write_model(model: LanguageModel, directory: Path) -> None:
    """Save weights, tokenizer, and how the report samples: temperature 1, all of the support."""
    model.sample_by_default(temperature=1.0)
    model.save(directory)


# is it the model that was trained?


def check_export(
    scratch: Path, directory: Path, model: LanguageModel, engine: LocalEngine, recipe: Recipe
) -> Exported:
    """Answer some problems with the engine, and have plain transformers score the answers."""
    items = _some_problems(recipe, model)
    longest = max(len(item.tokens) for item in items)
    limit = min(_TOKENS, model.context - longest)
    groups = engine.generate(
        [Prompt(tokens=item.tokens, seed=0) for item in items],
        Sampling(max_new_tokens=limit, temperature=0.0),
    )
    answers = [group[0] for group in groups]
    ours = engine.score(
        [(item.tokens, one.tokens) for item, one in zip(items, answers, strict=True)],
        temperature=1.0,
    )
    turns = [turns_of(item.problem, recipe.model.system_prompt) for item in items]
    plain = score_plainly(
        scratch, [(turn, one.tokens) for turn, one in zip(turns, answers, strict=True)]
    )
    gap = 0.0
    for item, own, other in zip(items, ours, plain, strict=True):
        gap = max(gap, float(np.abs(own - other.logprobs).max()))
        is_greedy = bool((other.logprobs >= other.best - _CLOSE).all())
        if not np.array_equal(item.tokens, other.prompt) or gap > _CLOSE or not is_greedy:
            raise EngineError(
                f"plain transformers scores the answer to {item.problem.id!r} otherwise: "
                f"{gap:.1e} nats apart",
                where=str(directory),
                expected=f"the same prompt, and at most {_CLOSE:g}",
                remedy="nothing was exported; report this with the run's config.toml",
            )
    texts = [model.tokenizer.decode(one.tokens) for one in answers]
    _check_verdicts(items, answers, texts, [one.text for one in plain], recipe)
    return Exported(
        directory=directory,
        answers=len(items),
        tokens=sum(len(one.tokens) for one in answers),
        gap_nats=gap,
    )


def _check_verdicts(
    items: Sequence[EncodedProblem],
    answers: Sequence[Completion],
    ours: Sequence[str],
    theirs: Sequence[str],
    recipe: Recipe,
) -> None:
    """Raise EngineError unless both texts of each answer earn the same."""
    with make_verifier(recipe.verify) as verifier:
        judge = judge_with(verifier)
        both = [
            judge(
                [
                    VerifyItem(task=item.problem.task, response=text, stop_reason=one.stop)
                    for item, one, text in zip(items, answers, texts, strict=True)
                ]
            )
            for texts in (ours, theirs)
        ]
    if [one.reward for one in both[0]] != [one.reward for one in both[1]]:
        raise EngineError("the exported tokenizer decodes answers otherwise")


def _some_problems(recipe: Recipe, model: LanguageModel) -> list[EncodedProblem]:
    """Return problems of the first suite, or of the first stage where there is none."""
    lists = load_problem_lists(sources_of(recipe))
    pools = encode_pools(recipe, lists, model.tokenizer, model.context)
    pool = next(iter(pools.suites.values())) if pools.suites else pools.stages[0]
    return spread(pool, _ANSWERS)


# what goes with it


def _write_papers(
    place: Place,
    recipe: Recipe,
    directory: Path,
    license_id: str,
    others: Mapping[Path, EvalResults],
    checked: Exported,
) -> None:
    """Write the card, and copy recipe, manifest and picture of the run."""
    run = place.run
    assert run is not None  # noqa: S101  (a run is what is exported)
    base, hub_id, known_license = origin_of(recipe.model.name)
    state = _state_of(place)
    whole, data = dump_table(recipe), read_manifest(run)
    table = without_places(whole)
    has_curves = (run / PICTURE).exists()
    card = render_card(
        CardFacts(
            name=checked.directory.name,
            base=base,
            hub_id=hub_id,
            license=license_id or known_license,
            recipe=recipe,
            steps=int(state["step"]),
            is_finished=place.checkpoint is None,
            train_wall_s=float(state["train_wall_s"]),
            version=__version__,
            evaluations=RunRecorder(run).evaluations(),
            others=[suite for one in others.values() for suite in one.models[0].suites],
            benchmarks=_benchmarks([whole, *(one.recipe for one in others.values())]),
            data=data,
            needs_files=table != whole,
            has_curves=has_curves,
            checked=checked.answers,
        )
    )
    (directory / _CARD).write_text(card, encoding="utf-8")
    (directory / "recipe.toml").write_text(tomli_w.dumps(table), encoding="utf-8")
    sets = [without_places(asdict(one)) for one in data]
    (directory / DATA).write_text(json.dumps(sets, indent=1) + "\n", encoding="utf-8")
    if has_curves:
        shutil.copyfile(run / PICTURE, directory / PICTURE)


def _state_of(place: Place) -> Mapping[str, Any]:
    """Return the steps and the training time of what is exported."""
    assert place.run is not None  # noqa: S101  (a run is what is exported)
    if place.checkpoint is not None:
        return checkpoint.read_state(place.checkpoint)
    summary = json.loads((place.run / SUMMARY).read_text(encoding="utf-8"))
    return {"step": summary["steps"], "train_wall_s": summary["train_wall_s"]}


def _benchmarks(recipes: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the suites whose problems are of a public benchmark."""
    return frozenset(
        suite["name"]
        for recipe in recipes
        for suite in recipe["suite"]
        if any(source["type"] in BENCHMARKS for source in suite["sources"])
    )


def origin_of(name: str) -> tuple[str, str, str]:
    """Return what the base model is called, its hub id and its licence; empty where unknown."""
    if name == TINY:
        return "", "", "apache-2.0"
    if name.startswith((".", "/", "~")) or Path(name).is_dir():
        return Path(name).name, "", ""
    hub_id, known_license = fetch.origin(name)
    return hub_id, hub_id, known_license


def without_places(node: Any) -> Any:
    """Return plain data whose paths say the file's name only: a release tells no one's folders."""
    if isinstance(node, Mapping):
        changed = {key: without_places(value) for key, value in node.items()}
        if "type" in node and "path" in node:
            changed["path"] = Path(node["path"]).name
        name = changed.get("name")
        if isinstance(name, str) and name.startswith((".", "/", "~")):
            changed["name"] = Path(name).name
        return changed
    if isinstance(node, list | tuple):
        return [without_places(item) for item in node]
    return node


def _results_of(evaluations: Sequence[Path], weights: str) -> dict[Path, EvalResults]:
    """Return what was found of these weights, by directory; ConfigError where nothing was."""
    found: dict[Path, EvalResults] = {}
    for directory in evaluations:
        results = read_results(directory)
        if results is None:
            raise ConfigError("no results here", where=str(directory), expected=RESULTS)
        own = tuple(one for one in results.models if one.weights == weights)
        if not own:
            raise ConfigError(
                "these are results of other weights",
                where=str(directory),
                expected="an evaluation of the model that is exported",
            )
        found[directory] = replace(results, models=own, comparisons=())
    return found


def _write_evaluations(others: Mapping[Path, EvalResults], directory: Path) -> None:
    """Write the results of this model under its new name, without the places of this machine."""
    for number, results in enumerate(others.values(), start=1):
        (directory / "evaluations").mkdir(exist_ok=True)
        renamed = replace(results.models[0], name="this model", label="this-model")
        table = asdict(replace(results, models=(renamed,)))
        text = json.dumps(without_places(table), indent=1)
        path = directory / "evaluations" / f"{number}.json"
        path.write_text(text + "\n", encoding="utf-8")
