"""Release a run's model: a directory that plain transformers loads, with a card.

The directory is written under another name and renamed when it is whole, after plain transformers
has given some of the model's answers the same scores as the training engine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tomli_w

from reasonrl import __version__
from reasonrl.engines.threads import use_threads
from reasonrl.errors import ConfigError, StorageError
from reasonrl.evaluation.results import RESULTS, EvalResults, read_results
from reasonrl.launch.adapter import export_adapter
from reasonrl.launch.check_export import Exported, check_export
from reasonrl.launch.models import NamedModel, find_model, open_model, take_over
from reasonrl.launch.one_process import local_engine
from reasonrl.launch.prompts import in_form
from reasonrl.launch.request import BENCHMARKS
from reasonrl.loop.state import read_state
from reasonrl.models import fetch
from reasonrl.models.hf import LanguageModel
from reasonrl.models.random import is_tiny
from reasonrl.recipe import OptimizerConfig, Recipe
from reasonrl.recipe.toml import dump_table
from reasonrl.report.card import CardFacts, render_card
from reasonrl.run import checkpoint
from reasonrl.run.layout import DATA, PICTURE, SUMMARY
from reasonrl.run.problem_sets import read_manifest
from reasonrl.run.record import RunRecorder
from reasonrl.terminal import Console

_CARD = "README.md"


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
    _check_empty(directory)
    use_threads(recipe.engine.threads)
    console.note(f"loading {named.name}")
    model = in_form(open_model(named), recipe.model, named.run)
    scratch = directory.with_name(f".{directory.name}.writing")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        exact = recipe.engine.model_copy(update={"compute": "float32"})
        with local_engine(model, exact, OptimizerConfig()) as engine:
            take_over(named, engine)
            others = _results_of(evaluations, model.digest())
            _write_model(model, scratch)
            adapter = export_adapter(named, recipe, scratch)
            checked = check_export(scratch, directory, model, engine, recipe, adapter=adapter)
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


def _check_empty(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(
            "this directory is not empty",
            where=str(directory),
            remedy="choose another directory",
        )


def _write_model(model: LanguageModel, directory: Path) -> None:
    """Save weights, tokenizer, and the report's sampling: temperature 1 and the whole support."""
    model.sample_by_default(temperature=1.0)
    model.save(directory)


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
