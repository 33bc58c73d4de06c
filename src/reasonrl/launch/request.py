"""From what stands on the command line of `reasonrl eval` to an evaluation recipe.

A suite is one of the recipe's, a benchmark's name or a file of problems; options lay themselves
over it. Called by `cli`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from reasonrl.errors import ConfigError
from reasonrl.evaluation.table13 import OTHER_SAMPLES, usual_samples
from reasonrl.recipe import CodeBenchmark, EvalRecipe, LiveCodeBench, MathBenchmark, Strict
from reasonrl.recipe.toml import (
    anchor_paths,
    apply_override,
    dump_table,
    load_eval_recipe,
    load_recipe,
    parse,
)
from reasonrl.run.layout import CHECKPOINTS, CONFIG

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
    """Hold the options that were given; None and empty stand for not given.

    `data` is where benchmarks are looked for, instead of on the hub.
    """

    suites: Sequence[str] = ()
    k: int | None = None
    temperature: float | None = None
    max_new_tokens: int | None = None
    limit: int | None = None
    data: Path | None = None
    style: str | None = None
    system_prompt: str | None = None
    unboxed: bool = False
    seed: int | None = None
    overrides: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Hold a recipe, and the suites whose completions may fill what the model's context leaves."""

    recipe: EvalRecipe
    open_ended: frozenset[str]


def load_base(path: Path | None, model: str, suites: Sequence[str]) -> EvalRecipe | None:
    """Return the recipe to start from: the given one; else that of MODEL, where it is a run.

    A run's recipe is left aside when only suites are asked for that it does not have.
    """
    if path is not None:
        return load_eval_recipe(path)
    run = run_of(model)
    if run is not None:
        own = load_eval_recipe(run / CONFIG)
        if not suites or {suite.name for suite in own.suite}.intersection(suites):
            return own
    return None


def tidy(model: str) -> str:
    """Return the one way to write a directory's name; a model's name elsewhere stays as it is.

    Raises ConfigError for a path that leads nowhere: one in a folder of runs cannot be a hub id.
    """
    path = Path(model)
    if path.is_dir() or path.parent.name == CHECKPOINTS:
        return os.path.normpath(model)
    beside = list(path.parent.iterdir()) if path.parent.is_dir() else []
    is_beside_runs = path.parent != Path() and any((one / CONFIG).is_file() for one in beside)
    if is_beside_runs or model.startswith(("/", ".", "~")):
        near = difflib.get_close_matches(path.name, [one.name for one in beside], n=1)
        raise ConfigError(
            "no such directory",
            where=model,
            expected="a model, a run, RUN/checkpoints/step-N or a hub id",
            remedy=f"did you mean {path.parent / near[0]}?" if near else "",
        )
    return model


def unused_settings(model: str) -> str:
    """Say what a run was trained with that an evaluation without its recipe leaves out."""
    run = run_of(model)
    if run is None:
        return ""
    own = load_recipe(run / CONFIG)
    prompt, unboxed = own.model.system_prompt, own.verify.unboxed
    parts = [f"--system-prompt {prompt!r}"] * (prompt is not None) + ["--unboxed"] * unboxed
    return f"{model} was trained as with {' '.join(parts)}; not so here" if parts else ""


def run_of(model: str) -> Path | None:
    """Return the run that a name stands for or is a checkpoint of, RUN/checkpoints/step-N."""
    path = Path(model)
    if path.parent.name == CHECKPOINTS and (path.parent.parent / CONFIG).is_file():
        return path.parent.parent
    return path if (path / CONFIG).is_file() else None


def named_directory(request: Request, model: str) -> Path:
    """Return where an evaluation is kept by default: the same for the same question."""
    suites = "-".join(suite.name for suite in request.recipe.suite)[:60]
    asked = json.dumps(question(request.recipe), sort_keys=True)
    return Path("evals") / f"{slug(model)[-40:]}-{suites}-{short_hash(asked)}"


def slug(name: str) -> str:
    """Return a name in the letters that a file may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")


def short_hash(text: str) -> str:
    """Return six digits that tell names apart which look alike."""
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def question(recipe: EvalRecipe) -> dict[str, Any]:
    """Return what a recipe asks, without what only says where and how fast it is answered."""
    table = dump_table(recipe)
    del table["name"], table["verify"]["workers"]
    table["engine"] = {"compute": recipe.engine.compute}  # the rest changes rounding only
    for suite in table["suite"]:
        for source in suite["sources"]:
            source.pop("path", None)
    return table


def settle(base: EvalRecipe | None, options: EvalOptions) -> Request:
    """Return the recipe that is meant.

    Raises ConfigError for a suite that is neither in the recipe nor a benchmark nor a file.
    """
    known = {suite["name"]: suite for suite in dump_table(base)["suite"]} if base else {}
    names = _named(options.suites, known) if options.suites else list(known)
    if not names:
        raise ConfigError(
            "no suite to evaluate on",
            expected=f"--suite with one of {', '.join(BENCHMARKS)}, or a file of problems",
        )
    suites = [_suite(name, known, options) for name in names]
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
    if options.seed is not None:
        table["seed"] = options.seed
    for override in options.overrides:
        apply_override(table, override)
    anchor_paths(table, Path.cwd())
    recipe = parse(EvalRecipe, table, where="reasonrl eval")
    return Request(recipe=recipe, open_ended=frozenset(open_ended))


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
    """Let the name of a suite with several temperatures stand for all of them."""
    found = []
    for name in names:
        parts = [one for one in known if name not in known and one.startswith(f"{name}-t")]
        found += parts or [name]
    return found


def _suite(name: str, known: Mapping[str, dict[str, Any]], options: EvalOptions) -> dict[str, Any]:
    """Return the table of one suite, with the options over it."""
    if name in known:
        suite = dict(known[name])
        if options.temperature is not None and name.endswith(f"-t{suite['temperature']}"):
            raise ConfigError(
                "this suite is named after its own temperature",
                where=f"--temperature {options.temperature:g}, suite {name}",
                remedy="choose among the recipe's with --suite, or change the recipe",
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
