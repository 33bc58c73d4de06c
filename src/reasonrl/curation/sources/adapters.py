"""The raw sources: the repository of each, and an adapter that reads its rows.

An adapter only takes the fields out of a row; later steps judge the problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reasonrl.curation.recipe import RawSource, RawType
from reasonrl.curation.rows import Fault, Reason
from reasonrl.data.benchmarks.adapter import Row, field
from reasonrl.data.rows import parse_row
from reasonrl.errors import DataError
from reasonrl.types import Kind
from reasonrl.verify.extract import last_box

FIRST_TESTED = 2024
"""The first year whose AIME is used as a benchmark."""

_COMPUTED = re.compile(r"<<[^<>]*=([^<>=]+)>>")  # GSM8K's mark of a calculation
_NUMBER = re.compile(r"\d{1,3}(?:[ ,]\d{3})+(?!\d)(?:\.\d+)?|\d*\.?\d+")


class Unfit(Exception):
    """Report a row that its source marks as unfit; `fault` says why it is dropped."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(reason=reason, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The fields of a row. `part` is the source's name for the row's subset or level."""

    problem: str
    answer: str
    solution: str = ""
    native_id: str = ""
    part: str = ""
    kind: Kind = Kind.MATH
    difficulty: str = ""


Read = Callable[[Row, RawSource], Parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """The repository of a source on the hub, its files, and the function that reads a row.

    `files` are patterns below the repository or, if no file matches, below the hub's conversion of
    the repository to Parquet.
    """

    repository: str
    files: tuple[str, ...]
    read: Read


def _numina(row: Row, _source: RawSource) -> Parts:
    part = _optional(row, "source")
    kind = _optional(row, "question_type").lower()
    if kind == "proof" or _optional(row, "answer").strip().lower() == "proof":
        raise Unfit(Reason.PROOF, "the source says so")
    if kind == "mcq":
        raise Unfit(Reason.MULTIPLE_CHOICE, "the source says so")
    for key in ("problem_is_valid", "solution_is_valid"):
        if _optional(row, key).lower() not in ("", "yes"):
            raise Unfit(Reason.OUT_OF_SCOPE, f"{key} = {row.get(key)}")
    if _optional(row, "answer").strip().lower() in ("", "notfound", "not found"):
        raise Unfit(Reason.EMPTY, "no answer")
    return Parts(
        problem=field(row, "problem"),
        answer=field(row, "answer"),
        solution=_optional(row, "solution"),
        part=part,
    )


def _worked(row: Row, _source: RawSource) -> Parts:
    """Read problem, answer and an optional solution, under the names that the sources use.

    Without an answer, the content of the last box in the solution is the answer.
    """
    solution = _optional(row, "solution")
    answer = _optional(row, "answer", "final_answer", "Answer") or last_box(solution) or ""
    return Parts(
        problem=field(row, "problem", "question", "Question"),
        answer=answer,
        solution=solution,
        native_id=_optional(row, "unique_id", "id", "ID"),
    )


def _aime(row: Row, source: RawSource) -> Parts:
    year, before = field(row, "year", "Year"), source.before or FIRST_TESTED
    if not re.fullmatch(r"\d{4}", year) or int(year) >= before:
        raise Unfit(Reason.OUT_OF_SCOPE, f"of {year[:20]}, not before {before}")
    return _worked(row, source)


def _gsm8k(row: Row, _source: RawSource) -> Parts:
    solution, mark, answer = field(row, "answer").rpartition("####")
    if not mark or not answer.strip():
        raise DataError("no answer after ####", expected="a row of GSM8K")
    answer, solution = answer.strip(), solution.strip()
    final = _gsm8k_result(solution, answer)
    if final:
        solution += f"\n\\boxed{{{final}}}"
    return Parts(problem=field(row, "question"), answer=answer, solution=solution)


def _gsm8k_result(solution: str, answer: str) -> str:
    """Return the result of a solution, empty if it holds no number.

    Solutions end in prose, where the result may not be the last number ("15% of $300"). So the
    answer is taken for the result if it is among the numbers of the last line or of the last
    calculation. A hundredth of the answer counts too: dollars for cents. Otherwise the last
    calculation is the result, or without calculations the last number of the last line.
    """
    last = _COMPUTED.sub("", solution[solution.rfind("\n") + 1 :])
    results = [*_NUMBER.findall(last), *_COMPUTED.findall(solution)[-1:]]
    values = {_plain(result) for result in results}
    is_reached = any(_plain(answer, scale) in values for scale in (1.0, 0.01))
    return answer if is_reached else (results or [""])[-1]


def _plain(number: str, scale: float = 1.0) -> str:
    """Return a number in its plain spelling: "1,530.00" and ".50" as 1530 and 0.5."""
    bare = re.sub(r"[ ,]", "", number).lstrip("-")
    try:
        return f"{scale * float(bare):.12g}"
    except ValueError:
        return bare


def _taco(row: Row, _source: RawSource) -> Parts:
    tests = _json(field(row, "input_output"), "input_output") if row.get("input_output") else {}
    if not isinstance(tests, dict) or not tests.get("inputs") or not tests.get("outputs"):
        raise Unfit(Reason.NO_TESTS, "input_output is empty")
    kept = {key: tests[key] for key in ("inputs", "outputs", "fn_name") if tests.get(key)}
    starter = _optional(row, "starter_code")
    question = field(row, "question").rstrip()
    return Parts(
        problem=f"{question}\n\n```python\n{starter.rstrip()}\n```"
        if starter.strip()
        else question,
        answer=json.dumps(kept),
        solution=_programs(row.get("solutions")),
        part=_optional(row, "difficulty").lower(),
        kind=Kind.CODE,
    )


def _leetcode(row: Row, _source: RawSource) -> Parts:
    tests = {
        "entry_point": field(row, "entry_point"),
        "import_prefix": _optional(row, "prompt"),
        "test_code": field(row, "test"),
    }
    meta = row.get("meta")
    level = _optional(meta if isinstance(meta, Mapping) else row, "difficulty")
    return Parts(
        problem=field(row, "query", "problem_description"),
        answer=json.dumps(tests),
        solution=json.dumps([field(row, "completion")]),
        native_id=_optional(row, "task_id"),
        part=level,
        kind=Kind.CODE,
    )


def _or1(row: Row, _source: RawSource) -> Parts:
    problem = parse_row(row)
    if len(problem.prompt) != 1 or problem.prompt[0].role != "user":
        raise DataError("a prompt of several turns", expected="one user turn")
    return Parts(
        problem=problem.prompt[0].content,
        answer=problem.answer,
        solution=_optional(row, "solution"),
        native_id=problem.id,
        part=problem.source,
        kind=problem.kind,
        difficulty=json.dumps(dict(problem.difficulty)) if problem.difficulty else "",
    )


def _file(row: Row, source: RawSource) -> Parts:
    """Read a plain row, or the fields that the recipe names in `columns`."""
    columns = source.columns
    if not columns:
        plain = {key: value for key, value in row.items() if key != "solution"}
        return replace(_or1(plain, source), solution=_optional(row, "solution"))
    return Parts(
        problem=field(row, columns.get("problem", "problem")),
        answer=field(row, columns.get("answer", "answer")),
        solution=_optional(row, columns.get("solution", "solution")),
        native_id=_optional(row, columns.get("id", "id")),
    )


def _programs(value: object) -> str:
    """Return a JSON list of programs from a list, from a list in a string, or from one program."""
    content = _json(value, "solutions") if isinstance(value, str) and value[:1] == "[" else value
    programs = [content] if isinstance(content, str) else content
    if not isinstance(programs, list) or not all(isinstance(code, str) for code in programs):
        raise DataError("solutions in another form", expected="a list of programs")
    kept = [code for code in programs if code.strip()]
    return json.dumps(kept) if kept else ""


def _json(text: object, key: str) -> Any:
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{key} is not JSON: {str(error)[:80]}") from error


def _optional(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of the named fields that is present as text, empty if none is."""
    try:
        return field(row, *names)
    except DataError:
        return ""


_PARQUET = ("*.parquet", "*/*.parquet")

ADAPTERS: Mapping[RawType, Adapter] = {
    "numina": Adapter(repository="AI-MO/NuminaMath-1.5", files=_PARQUET, read=_numina),
    "deepscaler": Adapter(
        repository="agentica-org/DeepScaleR-Preview-Dataset",
        files=("deepscaler.json", *_PARQUET),
        read=_worked,
    ),
    "still3": Adapter(
        repository="RUC-AIBOX/STILL-3-Preview-RL-Data",
        files=("*.jsonl", *_PARQUET),
        read=_worked,
    ),
    "omni-math": Adapter(repository="KbsdJames/Omni-MATH", files=("test.jsonl",), read=_worked),
    "aime": Adapter(
        repository="di-zhang-fdu/AIME_1983_2024", files=("*.jsonl", *_PARQUET), read=_aime
    ),
    "math": Adapter(
        repository="DigitalLearningGmbH/MATH-lighteval",
        files=("data/train-*.parquet",),
        read=_worked,
    ),
    "gsm8k": Adapter(repository="openai/gsm8k", files=("main/train-*.parquet",), read=_gsm8k),
    "taco": Adapter(
        repository="BAAI/TACO", files=("ALL/train-*.parquet", "*train/*.parquet"), read=_taco
    ),
    "leetcode": Adapter(
        repository="newfacade/LeetCodeDataset", files=("*train*.jsonl*",), read=_leetcode
    ),
    "or1": Adapter(repository="Skywork/Skywork-OR1-RL-Data", files=_PARQUET, read=_or1),
    "file": Adapter(repository="", files=(), read=_file),
}
