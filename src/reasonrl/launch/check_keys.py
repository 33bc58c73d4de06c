"""Show what a problem file or a recipe would train on: prompts, answers, and rows that cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reasonrl.data.problems import ReadRow
from reasonrl.errors import DataError
from reasonrl.recipe import FileSource, HubSource, Recipe, Source
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.pools import load_source
from reasonrl.rollout.rows import read_source_rows
from reasonrl.types import Problem
from reasonrl.verify import Verifier
from reasonrl.verify.keys import key_faults

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One row that cannot train: where it stands, its id and answer, and why."""

    where: str
    id: str
    answer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row as it would train: the prompt as the model sees it, and the answer as it is read."""

    where: str
    id: str
    prompt: str
    answer: str
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """All rows that were checked, those that were refused, and some examples.

    `lengths` are the tokens of all prompts in order of length, if a model was named.
    """

    n_rows: int
    refused: tuple[Refused, ...]
    examples: tuple[Example, ...] = ()
    lengths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of a file are read: the keys of a `file` source."""

    fields: Mapping[str, str] = field(default_factory=dict)
    answer_after: str = ""
    prompt_template: Path | None = None


def check_keys(target: str, reading: Reading, *, model: str | None) -> KeyReport:
    """Read all rows of a file, a folder or a recipe, and judge whether each key can be used.

    With `model` the prompts are shown as its chat template makes them, and counted in tokens.
    Raises DataError if nothing can be read at all.
    """
    rows = list(_rows(target, reading))
    problems = [row.result for row in rows if isinstance(row.result, Problem)]
    with Verifier(workers=1) as verifier:
        faults = key_faults([problem.task for problem in problems], verifier)
    fault_of = dict(zip(map(id, problems), faults, strict=True))
    refused, kept = [], []
    for row in rows:
        if isinstance(row.result, DataError):
            refused.append(Refused(where=row.where, id="", answer="", reason=str(row.result)))
        elif fault := fault_of[id(row.result)]:
            refused.append(_refused(row.where, row.result, fault))
        else:
            kept.append((row.where, row.result))
    shown, lengths = _prompts([problem for _, problem in kept], model)
    chosen = range(0, len(kept), max(1, len(kept) // _SHOWN))[:_SHOWN]
    examples = [
        Example(
            where=kept[at][0],
            id=kept[at][1].id,
            prompt=shown[at],
            answer=kept[at][1].answer,
            tokens=lengths[at] if lengths else None,
        )
        for at in chosen
    ]
    return KeyReport(
        n_rows=len(rows),
        refused=tuple(refused),
        examples=tuple(examples),
        lengths=tuple(sorted(lengths)),
    )


def _refused(where: str, problem: Problem, reason: str) -> Refused:
    return Refused(where=where, id=problem.id, answer=problem.answer, reason=reason)


def _prompts(problems: Sequence[Problem], model: str | None) -> tuple[list[str], list[int]]:
    """Return the prompts as text, and their lengths in tokens; no lengths without a model."""
    if model is None:
        return ["\n".join(turn.content for turn in problem.prompt) for problem in problems], []
    # Only this option needs the model libraries.
    from reasonrl.models.hf import load_tokenizer
    from reasonrl.rollout.problems import encode_problems

    tokenizer, _ = load_tokenizer(model)
    encoded = encode_problems(problems, tokenizer, system_prompt=None)
    return [tokenizer.decode(item.tokens) for item in encoded], [len(i.tokens) for i in encoded]


def _rows(target: str, reading: Reading) -> Iterator[ReadRow]:
    """Yield each row's place with its problem, or with the error that says what is wrong."""
    path = Path(target)
    if path.suffix == ".toml" or not (path.suffix or path.exists()):
        recipe = load_recipe(recipe_path(target))
        for source in _sources(recipe):
            yield from _rows_of(source)
        return
    source = _file_source(path, reading)
    for row in read_source_rows(source):
        yield ReadRow(where=Path(row.where).name, result=row.result)


def _file_source(path: Path, reading: Reading) -> FileSource:
    return FileSource.model_validate(
        {
            "type": "file",
            "path": path,
            "fields": dict(reading.fields),
            "answer_after": reading.answer_after,
            "prompt_template": reading.prompt_template,
        }
    )


def _sources(recipe: Recipe) -> list[Source]:
    """Return each distinct source of a recipe."""
    sources = [source for stage in recipe.stage for source in stage.data.sources]
    sources += [source for suite in recipe.suite for source in suite.sources]
    return list({source.model_dump_json(): source for source in sources}.values())


def _rows_of(source: Source) -> Iterator[ReadRow]:
    if isinstance(source, FileSource | HubSource):
        for row in read_source_rows(source):
            yield ReadRow(where=Path(row.where).name, result=row.result)
        return
    for number, problem in enumerate(load_source(source), start=1):
        yield ReadRow(where=f"{source.type} {number}", result=problem)
