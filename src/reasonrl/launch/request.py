"""From the command line of `reasonrl eval` to an evaluation recipe.

A suite is a suite of the recipe, a benchmark's name, or a file of problems. Options replace the
suite's own values.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from reasonrl.errors import ConfigError
from reasonrl.evaluation.table13 import OTHER_SAMPLES, usual_samples
from reasonrl.launch.models import run_of, short_hash, slug
from reasonrl.recipe import CodeBenchmark, EvalRecipe, LiveCodeBench, MathBenchmark, Strict
from reasonrl.recipe.tables import anchor_paths, apply_override
from reasonrl.recipe.toml import dump_table, load_eval_recipe, parse, suite_parts
from reasonrl.run.layout import CONFIG

REPORT_TOKENS = 32_768
"""The longest completion of the report's evaluations."""


def _choices(model: type[Strict], field: str) -> tuple[str, ...]:
    """Return the words that a field may hold."""
    return get_args(model.model_fields[field].annotation)


_MATHEMATICS, _STYLES = _choices(MathBenchmark, "type"), _choices(MathBenchmark, "style")
BENCHMARKS = (
    *_MATHEMATICS, *_choices(CodeBenchmark, "type"), *_choices(LiveCodeBench, "type")
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """The options of the command line; None and empty mean that an option was not given.

    `data` is the directory of benchmark files, in place of the hub.
    """

    suites: Sequence[str] = ()
    k: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_new_tokens: int | None = None
    limit: int | None = None
    data: Path | None = None
    style: str | None = None
    system_prompt: str | None = None
    unboxed: bool = False
    seeds: Sequence[int] = ()
    overrides: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRequest:
    """A recipe, and the suites whose completions may take what the context leaves."""

    recipe: EvalRecipe
    open_ended: frozenset[str]


def load_base(path: Path | None, model: str, suites: Sequence[str]) -> EvalRecipe | None:
    """Return the recipe to start from: the given recipe, or the recipe of MODEL if it is a run.

    A run's recipe is not used when none of the suites that are asked for is in it.
    """
    if path is not None:
        return load_eval_recipe(path)
    run = run_of(model)
    if run is not None:
        own = load_eval_recipe(run / CONFIG)
        if not suites or {suite.name for suite in own.suite}.intersection(suites):
            return own
    return None


def named_directory(request: EvalRequest, model: str) -> Path:
    """Return the default directory of an evaluation: the same for the same question."""
    suites = "-".join(suite.name for suite in request.recipe.suite)[:60]
    asked = json.dumps(question(request.recipe), sort_keys=True)
    return Path("evals") / f"{slug(model)[-40:]}-{suites}-{short_hash(asked)}"


def question(recipe: EvalRecipe) -> dict[str, Any]:
    """Return a recipe's question as a table: without the keys that only say where and how fast."""
    table = dump_table(recipe)
    del table["name"], table["verify"]["workers"]
    # The other keys of [engine] change rounding at most.
    table["engine"] = {"compute": recipe.engine.compute}
    for suite in table["suite"]:
        for source in suite["sources"]:
            source.pop("path", None)
    return table


def settle(base: EvalRecipe | None, options: EvalOptions) -> EvalRequest:
    """Return the recipe that the options ask for.

    Raises ConfigError for a suite that is neither in the recipe nor a benchmark nor a file.
    """
    known = {suite["name"]: suite for suite in dump_table(base)["suite"]} if base else {}
    names = _named(options.suites, known) if options.suites else list(known)
    if not names:
        raise ConfigError(
            "no suite to evaluate on",
            expected=f"--suite with one of {', '.join(BENCHMARKS)}, or a file of problems",
            remedy="pass --suite",
        )
    suites = [_suite(name, known, options) for name in names]
    if len(options.seeds) > 1:
        suites = [part for suite in suites for part in _by_seed(suite, options.seeds)]
    _check_style(options.style, suites)
    open_ended = {s["name"] for s in suites if "max_new_tokens" not in s}
    for suite in suites:
        suite.setdefault("max_new_tokens", REPORT_TOKENS)
    table: dict[str, Any] = dump_table(base) if base else {"name": "eval"}
    table["suite"] = suites
    if options.system_prompt is not None:
        table["system_prompt"] = options.system_prompt
    if options.unboxed:
        table["verify"] = {**table.get("verify", {}), "unboxed": True}
    if len(options.seeds) == 1:
        table["seed"] = options.seeds[0]
    for override in options.overrides:
        apply_override(table, override)
    anchor_paths(table, Path.cwd())
    recipe = parse(EvalRecipe, table, where="reasonrl eval")
    return EvalRequest(recipe=recipe, open_ended=frozenset(open_ended))


def _by_seed(suite: dict[str, Any], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return a suite for each seed."""
    if "seed" in suite:
        raise ConfigError(
            "this suite's seed is fixed by the recipe",
            where=f"--seed, suite {suite['name']}",
            remedy="leave out --seed, or change the recipe",
        )
    return suite_parts({**suite, "seed": list(seeds)}, "seed", "s")


def _check_style(style: str | None, suites: Sequence[Mapping[str, Any]]) -> None:
    if style is None:
        return
    types = {source["type"] for suite in suites for source in suite["sources"]}
    if style not in _STYLES or not types.intersection(_MATHEMATICS):
        raise ConfigError(
            f"--style {style}",
            expected=f"one of {', '.join(_STYLES)}, and one of {', '.join(_MATHEMATICS)}",
        )


def _named(names: Sequence[str], known: Mapping[str, object]) -> list[str]:
    """Replace the name of a suite with several temperatures or seeds by the names of its parts."""
    suites = []
    for name in names:
        is_part = re.compile(rf"{re.escape(name)}(-t[\d.]+)?(-s\d+)?")
        parts = [suite for suite in known if name not in known and is_part.fullmatch(suite)]
        suites += parts or [name]
    return suites


def _suite(name: str, known: Mapping[str, dict[str, Any]], options: EvalOptions) -> dict[str, Any]:
    """Return the table of one suite, with the options in place of its own values."""
    if name in known:
        suite = dict(known[name])
        if options.temperature is not None and name.endswith(f"-t{suite['temperature']}"):
            raise ConfigError(
                "this suite's name holds its own temperature",
                where=f"--temperature {options.temperature:g}, suite {name}",
                remedy="choose another suite of the recipe with --suite, or change the recipe",
            )
    elif name in BENCHMARKS:
        suite = {"name": name, "sources": [{"type": name}]}
        suite["k"] = usual_samples(name)
    elif Path(name).is_file():
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(name).name.partition(".")[0]).strip("-_")
        source = {"type": "file", "path": str(Path(name).resolve())}
        suite = {"name": stem or "problems", "sources": [source], "k": OTHER_SAMPLES}
    else:
        raise _unknown_suite(name, known)
    suite["sources"] = [_source(source, options) for source in suite["sources"]]
    given = {
        "k": options.k,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "min_p": options.min_p,
        "max_new_tokens": options.max_new_tokens,
        "limit": options.limit,
    }
    return suite | {key: value for key, value in given.items() if value is not None}


def _source(source: Mapping[str, Any], options: EvalOptions) -> dict[str, Any]:
    changed = dict(source)
    if source["type"] in BENCHMARKS and options.data is not None:
        changed["path"] = str(options.data.resolve())
    if source["type"] in _MATHEMATICS and options.style:
        changed["style"] = options.style
    return changed


def _unknown_suite(name: str, known: Mapping[str, object]) -> ConfigError:
    names = [*known, *BENCHMARKS]
    near = difflib.get_close_matches(name, names, n=1)
    is_path = "/" in name or "." in name
    what = "no such file" if is_path else "no such suite"
    if Path(name).is_dir():
        what = "is a directory"
    return ConfigError(
        what,
        where=f"--suite {name}",
        expected=f"one of {', '.join(names)}, or a file of problems",
        remedy=f"did you mean {near[0]}?" if near else "",
    )
