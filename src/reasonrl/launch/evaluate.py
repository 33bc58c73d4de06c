"""Evaluate one model, or two beside each other, on the suites of an evaluation recipe.

A directory holds one recipe and any number of models. A stopped evaluation continues sample by
sample, and a finished suite stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reasonrl import __version__
from reasonrl.atomic import write_atomic
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.errors import ConfigError, StorageError
from reasonrl.evaluation.journal import FileJournal, Identity
from reasonrl.evaluation.results import (
    Comparison,
    EvalResults,
    ModelResults,
    read_results,
    write_results,
)
from reasonrl.evaluation.sample_file import write_samples
from reasonrl.evaluation.samples import read_samples, sample_rows
from reasonrl.evaluation.score import SuiteResult, compare_suites, describe_gain, score_suite
from reasonrl.evaluation.suite import evaluate_suite
from reasonrl.launch.engines import open_cluster
from reasonrl.launch.models import NamedModel, find_model
from reasonrl.launch.own import NOTHING, Own
from reasonrl.launch.request import EvalRequest
from reasonrl.launch.settle import settle_protocol
from reasonrl.launch.subject import Subject, open_subject
from reasonrl.recipe import EvalRecipe, Suite
from reasonrl.recipe.toml import dump_table
from reasonrl.report.evaluation.page import render_eval_page
from reasonrl.report.evaluation.samples import read_suite_samples
from reasonrl.rollout.pools import SuitePools, load_problem_lists, longest_in_suites
from reasonrl.rollout.problems import EncodedProblem
from reasonrl.run.layout import PAGE
from reasonrl.run.problem_sets import problems_digest, prompts_digest
from reasonrl.run.process import only_process
from reasonrl.terminal import Console

SAMPLES, JOURNAL = "samples", "journal"


def evaluate(
    request: EvalRequest,
    names: Sequence[str],
    directory: Path,
    console: Console,
    *,
    address: str | None = None,
    own: Own = NOTHING,
) -> EvalResults:
    """Evaluate models in order; with two, compare the second with the first on every suite.

    `address` is a Ray cluster's, for a recipe that samples on one; `own` are the caller's own
    parts.
    """
    models = [find_model(name) for name in names]
    if len({model.name for model in models}) < len(models):
        raise ConfigError(
            "a model cannot be compared with itself",
            where=f"--compare {names[0]}",
            remedy="name another model",
        )
    lists = load_problem_lists(
        (suite.sources for suite in request.recipe.suite),
        is_keyed=request.recipe.has_verifier,
        given=own.problems,
    )
    use_threads(request.recipe.engine.threads)
    keep_freed_memory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot be made: {error.strerror}", where=str(directory), remedy="choose another --out"
        ) from error
    with open_cluster(request.recipe.engine, address), only_process(directory):
        recipe, pools = settle_protocol(request, models, lists, directory, console)
        for model in models:
            _evaluate_model(model, recipe, pools[model.name], directory, console, own)
        results = read_results(directory)
        if results is None:
            raise StorageError("the results just written are gone", where=str(directory))
        if len(models) == 2:
            results = _compared(results, *(model.name for model in models))
            write_results(directory, results)
        _write_page(directory, results)
    return results


def _write_page(directory: Path, results: EvalResults) -> None:
    """Write the page of all models that the directory holds."""
    samples = {
        suite["name"]: read_suite_samples(
            {
                model.name: _samples_path(directory, model.label, suite["name"])
                for model in results.models
            }
        )
        for suite in results.recipe["suite"]
    }
    write_atomic(directory / PAGE, render_eval_page(results, samples))


def _samples_path(directory: Path, label: str, suite: str) -> Path:
    return directory / SAMPLES / label / f"{suite}.parquet"


# one model


def _evaluate_model(
    named: NamedModel,
    recipe: EvalRecipe,
    pools: SuitePools,
    directory: Path,
    console: Console,
    own: Own,
) -> None:
    with open_subject(
        named,
        recipe.engine,
        recipe.verify,
        list(pools.values()),
        directory,
        console,
        seed=recipe.seed,
        context_tokens=longest_in_suites(recipe.suite, pools),
        prompts=recipe,
        components=recipe.reward,
        own=own,
    ) as subject:
        for suite in recipe.suite:
            _evaluate_on(suite, subject, pools[suite.name], recipe, directory, console)


def _evaluate_on(
    suite: Suite,
    subject: Subject,
    encoded: Sequence[EncodedProblem],
    recipe: EvalRecipe,
    directory: Path,
    console: Console,
) -> None:
    """Sample and judge the missing part of one suite, and write its result.

    The result of a finished suite is computed again from its samples, so that results are never
    older than the code.
    """
    named = subject.named
    identity = Identity(
        weights=subject.weights,
        problems=problems_digest(encoded),
        prompts=prompts_digest(encoded),
    )
    path = _samples_path(directory, named.label, suite.name)
    scratch = directory / JOURNAL / named.label / suite.name
    if path.exists():
        samples = read_samples(path, encoded, identity)
        console.note(f"{suite.name}: {named.name} has been evaluated")
        result = score_suite(suite.name, samples, suite.sampling(recipe.stop), step=0)
    else:
        journal = FileJournal(scratch, identity)
        try:
            result = _sample(suite, subject, encoded, recipe, journal, console)
            rows = sample_rows(
                encoded, suite.k, journal, subject.model.tokenizer,
                model=named.name, suite=suite.name,
            )  # fmt: skip
            write_samples(path, rows, identity)
        finally:
            journal.close()
    # The samples are in their file by now.
    shutil.rmtree(scratch, ignore_errors=True)
    _keep_result(directory, recipe, subject, result)


def _sample(
    suite: Suite,
    subject: Subject,
    encoded: Sequence[EncodedProblem],
    recipe: EvalRecipe,
    journal: FileJournal,
    console: Console,
) -> SuiteResult:
    if journal.drafts():
        total = len(encoded) * suite.k
        console.note(f"{suite.name}: continuing with {len(journal.drafts())} of {total} samples")
    return evaluate_suite(
        suite.name,
        subject.engine,
        subject.model.tokenizer,
        subject.judge if recipe.has_verifier else None,
        encoded,
        suite.sampling(recipe.stop),
        run_seed=suite.seed_in(recipe.seed),
        step=0,
        max_failed_share=recipe.verify.max_failed_share,
        phase=console.phase,
        rewards=subject.rewards,
        journal=journal,
    )


def _keep_result(
    directory: Path, recipe: EvalRecipe, subject: Subject, result: SuiteResult
) -> None:
    """Write results.json; this result replaces an older result of the same suite and model."""
    results = read_results(directory) or EvalResults(
        reasonrl=__version__, recipe=dump_table(recipe)
    )
    named = subject.named
    known = results.model(named.name) or ModelResults(
        name=named.name, label=named.label, weights=subject.weights
    )
    kept = tuple(other for other in known.suites if other.suite != result.suite)
    changed = replace(known, weights=subject.weights, suites=(*kept, result))
    others = tuple(other for other in results.models if other.name != named.name)
    write_results(directory, replace(results, models=(*others, changed)))


def _compared(results: EvalResults, before: str, after: str) -> EvalResults:
    """Return the results with a comparison of two models on every suite that both have."""
    old, new = results.model(before), results.model(after)
    pairs = [
        (first, second)
        for first in (old.suites if old else ())
        if new is not None
        and (second := new.suite(first.suite)) is not None
        # Without a verifier there is no accuracy to compare.
        and first.accuracy is not None
        and second.accuracy is not None
    ]
    comparisons = [
        Comparison(
            suite=first.suite,
            before=before,
            after=after,
            gain=(gain := compare_suites(first, second)),
            verdict=describe_gain(gain),
        )
        for first, second in pairs
    ]
    kept = tuple(
        other for other in results.comparisons if (other.before, other.after) != (before, after)
    )
    return replace(results, comparisons=(*kept, *comparisons))
