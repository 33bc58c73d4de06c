"""Release a run's model: a directory that plain transformers loads, with a card.

The directory is written under another name and renamed when it is whole, after plain transformers
has given some of the model's answers the same scores as the training engine.
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
from reasonrl.errors import ConfigError, RefusedError, StorageError
from reasonrl.evaluation.results import RESULTS, EvalResults, read_results
from reasonrl.launch.engines import local_engine
from reasonrl.launch.judges import judge_with, make_verifier
from reasonrl.launch.models import NamedModel, find_model, open_model, take_over
from reasonrl.launch.request import BENCHMARKS
from reasonrl.loop.state import read_state
from reasonrl.models import fetch
from reasonrl.models.hf import LanguageModel
from reasonrl.models.plain import score_plainly
from reasonrl.models.random import is_tiny
from reasonrl.recipe import Recipe
from reasonrl.recipe.toml import dump_table
from reasonrl.report.card import CardFacts, render_card
from reasonrl.report.drawing.scale import spread
from reasonrl.rollout.collect import Answer
from reasonrl.rollout.pools import encode_pools, load_problem_lists, sources_of
from reasonrl.rollout.problems import EncodedProblem, turns_of
from reasonrl.run import checkpoint
from reasonrl.run.layout import DATA, PICTURE, SUMMARY
from reasonrl.run.problem_sets import read_manifest
from reasonrl.run.record import RunRecorder
from reasonrl.terminal import Console
from reasonrl.types import Completion, Prompt, Sampling

_ANSWERS, _TOKENS = 8, 64
"""Answers that are compared, and the most tokens of each."""

_CLOSE = 1e-3
"""The largest distance of two float32 computations of a log-probability, in nats."""

_CARD = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An export: its directory, and the answers, tokens and largest difference of its check."""

    directory: Path
    answers: int
    tokens: int
    gap_nats: float


def export(
    run: str, directory: Path, console: Console, *, license_id: str, evaluations: Sequence[Path]
) -> Exported:
    """Write a run's model to a new directory.

    Raises ConfigError when there is no run or the directory exists, RefusedError when plain
    transformers does not give the model's answers the same scores.
    """
    named = find_model(run)
    recipe = named.recipe()
    if recipe is None or named.run is None:
        raise ConfigError(
            "no run here",
            where=run,
            expected="a directory of `reasonrl train`",
            remedy="check the path",
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(
            "this directory is not empty",
            where=str(directory),
            remedy="choose another directory",
        )
    use_threads(recipe.engine.threads)
    console.note(f"loading {named.name}")
    model = open_model(named, device=recipe.engine.device)
    scratch = directory.with_name(f".{directory.name}.writing")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        exact = recipe.engine.model_copy(update={"compute": "float32"})
        with local_engine(model, exact, recipe.optimizer) as engine:
            take_over(named, engine)
            others = _results_of(evaluations, model.digest())
            _write_model(model, scratch)
            checked = check_export(scratch, directory, model, engine, recipe)
        _write_papers(named, recipe, scratch, license_id, others, checked)
        _write_evaluations(others, scratch)
        scratch.rename(directory)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"could not write the export: {error}",
            where=str(directory),
            remedy="free space there, or choose another directory",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return checked


def _write_model(model: LanguageModel, directory: Path) -> None:
    """Save weights, tokenizer, and the report's sampling: temperature 1 and the whole support."""
    model.sample_by_default(temperature=1.0)
    model.save(directory)


# the check


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
        [(item.tokens, answer.tokens) for item, answer in zip(items, answers, strict=True)],
        temperature=1.0,
    )
    turns = [turns_of(item.problem, recipe.model.system_prompt) for item in items]
    plain = score_plainly(
        scratch, [(turn, answer.tokens) for turn, answer in zip(turns, answers, strict=True)]
    )
    gap = 0.0
    for item, own, other in zip(items, ours, plain, strict=True):
        gap = max(gap, float(np.abs(own - other.logprobs).max()))
        is_greedy = bool((other.logprobs >= other.best - _CLOSE).all())
        if not np.array_equal(item.tokens, other.prompt) or gap > _CLOSE or not is_greedy:
            raise RefusedError(
                f"plain transformers gives the answer to {item.problem.id!r} other scores: "
                f"{gap:.1e} nats apart",
                where=str(directory),
                expected=f"the same prompt, and at most {_CLOSE:g}",
                remedy="nothing was exported; report this with the run's config.toml",
            )
    texts = [model.tokenizer.decode(answer.tokens) for answer in answers]
    _check_verdicts(items, answers, texts, [score.text for score in plain], recipe)
    return Exported(
        directory=directory,
        answers=len(items),
        tokens=sum(len(answer.tokens) for answer in answers),
        gap_nats=gap,
    )


def _check_verdicts(
    items: Sequence[EncodedProblem],
    answers: Sequence[Completion],
    ours: Sequence[str],
    theirs: Sequence[str],
    recipe: Recipe,
) -> None:
    """Raise RefusedError unless both texts of each answer earn the same reward."""
    with make_verifier(recipe.verify) as verifier:
        judge = judge_with(verifier)
        both = [
            judge(
                [
                    Answer(task=item.problem.task, text=text, stop=answer.stop)
                    for item, answer, text in zip(items, answers, texts, strict=True)
                ]
            )
            for texts in (ours, theirs)
        ]
    if [verdict.reward for verdict in both[0]] != [verdict.reward for verdict in both[1]]:
        raise RefusedError(
            "the exported tokenizer decodes answers in another way",
            remedy="nothing was exported; report this with the run's config.toml",
        )


def _some_problems(recipe: Recipe, model: LanguageModel) -> list[EncodedProblem]:
    """Return problems of the first suite, or of the first stage where there is none."""
    lists = load_problem_lists(sources_of(recipe))
    pools = encode_pools(recipe, lists, model.tokenizer, model.context)
    pool = next(iter(pools.suites.values())) if pools.suites else pools.stages[0]
    return spread(pool, _ANSWERS)


# card and papers


def _write_papers(
    named: NamedModel,
    recipe: Recipe,
    directory: Path,
    license_id: str,
    others: Mapping[Path, EvalResults],
    checked: Exported,
) -> None:
    """Write the card, and copy recipe, manifest and picture of the run."""
    run = named.run
    if run is None:
        raise ValueError("only the model of a run is exported")
    base, hub_id, known_license = origin_of(recipe.model.name)
    progress = _progress_of(named, run)
    whole, data = dump_table(recipe), read_manifest(run)
    table = without_paths(whole)
    has_curves = (run / PICTURE).exists()
    card = render_card(
        CardFacts(
            name=checked.directory.name,
            base=base,
            hub_id=hub_id,
            license=license_id or known_license,
            recipe=recipe,
            steps=int(progress["step"]),
            is_finished=named.checkpoint is None,
            train_wall_s=float(progress["train_wall_s"]),
            version=__version__,
            evaluations=RunRecorder(run).evaluations(),
            others=[suite for results in others.values() for suite in results.models[0].suites],
            benchmarks=_benchmarks([whole, *(results.recipe for results in others.values())]),
            data=data,
            needs_files=table != whole,
            has_curves=has_curves,
            checked=checked.answers,
        )
    )
    (directory / _CARD).write_text(card, encoding="utf-8")
    (directory / "recipe.toml").write_text(tomli_w.dumps(table), encoding="utf-8")
    sets = [without_paths(asdict(problems)) for problems in data]
    (directory / DATA).write_text(json.dumps(sets, indent=1) + "\n", encoding="utf-8")
    if has_curves:
        shutil.copyfile(run / PICTURE, directory / PICTURE)


def _progress_of(named: NamedModel, run: Path) -> Mapping[str, Any]:
    """Return the steps and the training time of the model."""
    if named.checkpoint is not None:
        state = read_state(checkpoint.read_state(named.checkpoint), where=str(named.checkpoint))
        return {"step": state.step, "train_wall_s": state.train_wall_s}
    summary = json.loads((run / SUMMARY).read_text(encoding="utf-8"))
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
    """Return the base model's name, hub id and licence; empty where unknown."""
    if is_tiny(name):
        return "", "", "apache-2.0"
    if name.startswith((".", "/", "~")) or Path(name).is_dir():
        return Path(name).name, "", ""
    hub_id, known_license = fetch.origin(name)
    return hub_id, hub_id, known_license


def without_paths(node: Any) -> Any:
    """Return plain data with file names in place of paths: a release shows no folders."""
    if isinstance(node, Mapping):
        changed = {key: without_paths(value) for key, value in node.items()}
        if "type" in node and "path" in node:
            changed["path"] = Path(node["path"]).name
        name = changed.get("name")
        if isinstance(name, str) and name.startswith((".", "/", "~")):
            changed["name"] = Path(name).name
        return changed
    if isinstance(node, list | tuple):
        return [without_paths(item) for item in node]
    return node


def _results_of(evaluations: Sequence[Path], weights: str) -> dict[Path, EvalResults]:
    """Return the results of these weights, by directory; ConfigError for a directory without."""
    results_by_directory: dict[Path, EvalResults] = {}
    for directory in evaluations:
        results = read_results(directory)
        if results is None:
            raise ConfigError("no results here", where=str(directory), expected=RESULTS)
        own = tuple(model for model in results.models if model.weights == weights)
        if not own:
            raise ConfigError(
                "the results are of other weights",
                where=str(directory),
                expected="an evaluation of the model that is exported",
            )
        results_by_directory[directory] = replace(results, models=own, comparisons=())
    return results_by_directory


def _write_evaluations(others: Mapping[Path, EvalResults], directory: Path) -> None:
    """Write the results of this model under its new name, without paths of this machine."""
    for number, results in enumerate(others.values(), start=1):
        (directory / "evaluations").mkdir(exist_ok=True)
        renamed = replace(results.models[0], name="this model", label="this-model")
        table = asdict(replace(results, models=(renamed,)))
        text = json.dumps(without_paths(table), indent=1)
        path = directory / "evaluations" / f"{number}.json"
        path.write_text(text + "\n", encoding="utf-8")
