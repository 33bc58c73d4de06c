"""Check the answer keys of a problem file or of all sources of a recipe, before any run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reasonrl.data.files import WrittenNumber, read_rows
from reasonrl.data.rows import parse_row
from reasonrl.errors import DataError
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.pools import load_source
from reasonrl.types import Problem
from reasonrl.verify import Verifier
from reasonrl.verify.keys import key_faults

_ID = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One row that cannot train: where it stands, its id and answer, and why."""

    where: str
    id: str
    answer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """All rows that were checked and those that were refused.

    `longest_prompt` is the number of tokens of the longest prompt, if a model was named.
    """

    n_rows: int
    refused: tuple[Refused, ...]
    longest_prompt: int | None = None


def check_keys(
    target: str, *, fields: Mapping[str, str], answer_after: str, model: str | None
) -> KeyReport:
    """Read all rows of a file or a recipe, and judge whether each key can be used.

    `fields` names the keys of a row that hold `prompt`, `answer` and `id`; `answer_after` is the
    text behind which the answer stands. Raises DataError if nothing can be read at all.
    """
    rows = list(_rows(target, fields, answer_after))
    problems = [row for _, row in rows if isinstance(row, Problem)]
    with Verifier(workers=1) as verifier:
        faults = iter(key_faults([problem.task for problem in problems], verifier))
    refused = []
    for where, row in rows:
        if isinstance(row, DataError):
            refused.append(Refused(where=where, id="", answer="", reason=str(row)))
        elif fault := next(faults):
            refused.append(Refused(where=where, id=row.id, answer=row.answer, reason=fault))
    longest = _longest_prompt(problems, model) if model else None
    return KeyReport(n_rows=len(rows), refused=tuple(refused), longest_prompt=longest)


def _longest_prompt(problems: list[Problem], model: str) -> int:
    # Only this option needs the model libraries.
    from reasonrl.models.hf import load_tokenizer
    from reasonrl.rollout.problems import encode_problems

    tokenizer, _ = load_tokenizer(model)
    encoded = encode_problems(problems, tokenizer, system_prompt=None)
    return max((len(item.tokens) for item in encoded), default=0)


def _rows(
    target: str, fields: Mapping[str, str], answer_after: str
) -> Iterator[tuple[str, Problem | DataError]]:
    """Yield each row's place with its problem, or with the error that says what is wrong."""
    path = Path(target)
    if path.suffix == ".toml" or not path.suffix:
        yield from _rows_of_recipe(recipe_path(target))
        return
    for number, value in read_rows(path):
        where = f"{path.name}:{number}"
        try:
            if isinstance(value, DataError):
                raise value
            row = _with_fields(value, fields, number) if fields else value
            yield where, _cut(parse_row(row), answer_after)
        except DataError as error:
            yield where, error


def _rows_of_recipe(path: Path) -> Iterator[tuple[str, Problem]]:
    recipe = load_recipe(path)
    sources = [source for stage in recipe.stage for source in stage.data.sources]
    sources += [source for suite in recipe.suite for source in suite.sources]
    for source in {source.model_dump_json(): source for source in sources}.values():
        for number, problem in enumerate(load_source(source), start=1):
            yield f"{source.type} {number}", problem


def _with_fields(value: object, fields: Mapping[str, str], number: int) -> object:
    """Return a plain row made of the named fields of another row."""
    if not isinstance(value, Mapping):
        return value
    missing = [name for name in fields.values() if name not in value]
    if missing:
        raise DataError(
            f"no field {missing[0]}",
            expected=f"one of {', '.join(map(str, value))}",
            remedy="correct --fields",
        )
    row = {key: value[name] for key, name in fields.items()}
    if isinstance(row.get("answer"), WrittenNumber):
        row["answer"] = row["answer"].text
    return {_ID: str(number), **row}


def _cut(problem: Problem, answer_after: str) -> Problem:
    """Return the problem with the part of its answer behind the last `answer_after`."""
    if not answer_after:
        return problem
    _, found, answer = problem.answer.rpartition(answer_after)
    if not found:
        raise DataError(
            f'no "{answer_after}" in the answer',
            expected="the text behind which the answer stands",
            remedy="correct --answer-after",
        )
    return Problem(
        id=problem.id, prompt=problem.prompt, answer=answer.strip(), kind=problem.kind,
        source=problem.source, difficulty=problem.difficulty,
    )  # fmt: skip
