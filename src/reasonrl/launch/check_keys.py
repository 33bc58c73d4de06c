"""Show what a problem file or a recipe would train on: prompts, answers, and rows that cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reasonrl.data.problems import ReadRow
from reasonrl.errors import DataError
from reasonrl.recipe import FileSource, HubSource, PromptConfig, Source
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.pools import load_source, sources_of
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
        faults = iter(key_faults([problem.task for problem in problems], verifier))
    refused: list[Refused] = []
    kept: list[tuple[str, Problem]] = []
    for row in rows:
        where, found = row.where, row.result
        if isinstance(found, DataError):
            refused.append(Refused(where=where, id="", answer="", reason=str(found)))
        elif fault := next(faults):
            refused.append(Refused(where=where, id=found.id, answer=found.answer, reason=fault))
        else:
            kept.append((where, found))
    shown, lengths = _prompts([problem for _, problem in kept], model, _asked(target))
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


def _asked(target: str) -> PromptConfig:
    """Return how a recipe asks its model; of a file the model is asked in its own way."""
    return load_recipe(recipe_path(target)).model if _is_recipe(target) else PromptConfig()


def _prompts(
    problems: Sequence[Problem], model: str | None, asked: PromptConfig
) -> tuple[list[str], list[int]]:
    """Return the prompts as text, and their lengths in tokens; no lengths without a model."""
    if model is None:
        return ["\n".join(turn.content for turn in problem.prompt) for problem in problems], []
    # Only this option needs the model libraries.
    from reasonrl.launch.prompts import form_of
    from reasonrl.models.hf import load_tokenizer
    from reasonrl.rollout.problems import encode_problems

    tokenizer = load_tokenizer(model)[0].formed(form_of(asked, None))
    encoded = encode_problems(problems, tokenizer, system_prompt=asked.system_prompt)
    return [tokenizer.decode(item.tokens) for item in encoded], [len(i.tokens) for i in encoded]


def _rows(target: str, reading: Reading) -> Iterator[ReadRow]:
    """Yield each row's place with its problem, or with the error that says what is wrong."""
    for source in _sources(target, reading):
        if isinstance(source, FileSource | HubSource):
            for row in read_source_rows(source):
                yield replace(row, where=Path(row.where).name)
            continue
        for number, problem in enumerate(load_source(source), start=1):
            yield ReadRow(where=f"{source.type} {number}", result=problem)


def _sources(target: str, reading: Reading) -> list[Source]:
    """Return each distinct source of a recipe, or a file or folder as the one source."""
    if _is_recipe(target):
        lists = sources_of(load_recipe(recipe_path(target)))
        return list(
            {source.model_dump_json(): source for each in lists for source in each}.values()
        )
    return [_file_source(Path(target), reading)]


def _is_recipe(target: str) -> bool:
    """Return whether a target is a recipe and no file of problems."""
    path = Path(target)
    return path.suffix == ".toml" or not (path.suffix or path.exists())


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
