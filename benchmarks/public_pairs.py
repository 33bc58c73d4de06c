"""Labelled pairs of answers that were not made for this project.

Two kinds: the tests of other graders, read from their source packages as data (no line of them is
executed), and the answer keys of public problem sets beside the repository. Used by
`benchmarks.verify_public`.
"""

from __future__ import annotations

import ast
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A gold, a response with a box, and whether the box holds the gold."""

    origin: str
    gold: str
    response: str
    is_right: bool


def in_box(answer: str) -> str:
    """Return a response that consists of an answer."""
    return f"\\boxed{{{answer}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The answer key of a problem. `family` groups the problems of one type."""

    id: str
    family: str
    text: str


_DELIMITED = re.compile(
    r"\s*(?:\$\$(?P<a>[^$]+)\$\$|\$(?P<b>[^$]+)\$|\\\[(?P<c>.+)\\\]|\\\((?P<d>.+)\\\))\s*[.]?\s*\Z",
    re.DOTALL,
)
_COMMAND = re.compile(r"\\[a-zA-Z]+|\\text\s*\{[^{}]*\}")
_WORD = re.compile(r"[A-Za-z]{3,}")
_FAILING = "strict", "allow_set_relation_comp", "precision"


def grader_pairs(folder: Path) -> tuple[dict[str, list[Pair]], int]:
    """Return the pairs in the tests of the downloaded graders, and the number left out.

    Left out are answers without a box amid prose, which are a matter of extraction, and tests of
    a grader's own options.
    """
    sets: dict[str, list[Pair]] = {}
    n_left_out = 0
    for archive in sorted(folder.glob("math_verify-*.tar.gz")):
        triples = [triple for _, tree in _tests(archive) for triple in _triples(tree)]
        pairs = [_boxed(archive.name, *triple) for triple in triples]
        kept = _distinct(pair for pair in pairs if pair is not None)
        sets["math-verify's tests, one box"] = [pair for pair in kept if not _has_boxes(pair)]
        sets["math-verify's tests, several boxes"] = [pair for pair in kept if _has_boxes(pair)]
        n_left_out += sum(pair is None for pair in pairs)
    for archive in sorted(folder.glob("lm_eval-*.tar.gz")):
        trees = [tree for path, tree in _tests(archive) if path.endswith("test_minerva_math.py")]
        sets["lm-eval's tests"] = _distinct(
            Pair(origin=archive.name, gold=gold, response=in_box(answer), is_right=right)
            for tree in trees
            for gold, answer, right in _equivalences(tree)
        )
    return sets, n_left_out


def _tests(archive: Path) -> Iterator[tuple[str, ast.Module]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            is_test = "/tests/" in member.name and member.name.endswith(".py")
            file = tar.extractfile(member) if is_test else None
            if file is not None:
                yield member.name, ast.parse(file.read())


def _triples(tree: ast.Module) -> Iterator[tuple[str, str, bool]]:
    """Yield (gold, answer, expected) of each parametrized test that compares two answers."""
    for names, rows in _parametrized(tree):
        if "gold" not in names or any(name in names for name in _FAILING):
            continue
        for row in rows:
            gold, answer, expected = (row[names.index("gold")], row[1], row[-1])
            yield str(gold), str(answer), bool(expected)


def _parametrized(tree: ast.AST) -> Iterator[tuple[list[str], list[tuple[object, ...]]]]:
    """Yield the names and the rows of the parametrized tests whose rows are literals."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != "parametrize" or not isinstance(node.args[1], ast.List):
            continue
        names = [name.strip() for name in str(ast.literal_eval(node.args[0])).split(",")]
        rows = []
        for element in node.args[1].elts:
            # pytest.param(value, ..., id=...)
            is_call = isinstance(element, ast.Call)
            parts = element.args if is_call else getattr(element, "elts", [element])  # type: ignore[attr-defined]
            try:
                rows.append(tuple(ast.literal_eval(part) for part in parts))
            except ValueError:
                continue
        yield names, rows


def _equivalences(tree: ast.Module) -> Iterator[tuple[str, str, bool]]:
    """Yield the pairs of tests that assert `is_equiv(...)` or `not is_equiv(...)`."""
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        given = [pair for item in function.decorator_list for pair in _parametrized(item)]
        for node in function.body:
            if not isinstance(node, ast.Assert):
                continue
            is_right = not isinstance(node.test, ast.UnaryOp)
            call = node.test if is_right else node.test.operand  # type: ignore[attr-defined]
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "is_equiv"):
                continue
            for values in _bindings(given):
                parts = [_value(argument, values) for argument in call.args]
                if all(parts) and len(parts) == 2:
                    yield str(parts[0]), str(parts[1]), is_right


def _bindings(
    given: list[tuple[list[str], list[tuple[object, ...]]]],
) -> Iterator[dict[str, object]]:
    if not given:
        yield {}
    for names, rows in given:
        for row in rows:
            yield dict(zip(names, row, strict=False))


def _value(node: ast.expr, values: dict[str, object]) -> object:
    if isinstance(node, ast.Name):
        return values.get(node.id)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _boxed(origin: str, gold: str, answer: str, is_right: bool) -> Pair | None:
    """Return a test as a pair, or None if gold or answer stand amid prose without a box."""
    boxed_gold, response = _response_of(gold), _response_of(answer)
    if boxed_gold is None or response is None:
        return None
    plain = boxed_gold if "\\boxed" in gold else boxed_gold[len(in_box("")) - 1 : -1]
    return Pair(origin=origin, gold=plain, response=response, is_right=is_right)


def _response_of(text: str) -> str | None:
    """Return a text with its box, or a lone answer in a box; None for prose without a box."""
    if "\\boxed" in text:
        return text
    found = _DELIMITED.match(text)
    inner = next(part for part in found.groups() if part is not None) if found else text
    is_prose = not found and ("$" in inner.strip("$") or _WORD.search(_COMMAND.sub(" ", inner)))
    return None if is_prose else in_box(inner.strip())


def _has_boxes(pair: Pair) -> bool:
    """Return whether gold or response has several boxes, of which a grader may take one or all."""
    return max(pair.gold.count("\\boxed"), pair.response.count("\\boxed")) > 1


def _distinct(pairs: Iterable[Pair]) -> list[Pair]:
    return list({(pair.gold, pair.response): pair for pair in pairs}.values())


def public_keys(data: Path) -> dict[str, list[Key]]:
    """Return the answer keys of the public sets in a folder, by the name of the set."""
    sets = {
        "MATH-500": _math_keys(data / "math/test_math_math.json"),
        "MATH, training": _math_keys(data / "math/train_math_math.json"),
        "AIME 1983-2023": _math_keys(data / "math/train_math_aime.json"),
        "AIME 2024, 2025": [
            key
            for name in ("aime24", "aime25")
            for key in _aime_keys(data / f"aime/{name}.parquet")
        ],
        "GSM8K, test": _gsm8k_keys(data / "gsm8k/test.jsonl"),
    }
    return {name: keys for name, keys in sets.items() if keys}


def _math_keys(path: Path) -> list[Key]:
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [
        Key(
            id=f"{path.stem}:{number}",
            family=str(row.get("type") or str(row.get("unique_id", "")).split("/")[1:2]),
            text=str(row["answer"]),
        )
        for number, row in enumerate(rows)
    ]


def _aime_keys(path: Path) -> list[Key]:
    rows = pq.read_table(path).to_pylist() if path.exists() else []
    return [
        Key(id=f"{path.stem}:{n}", family="", text=str(row["reward_model"]["ground_truth"]))
        for n, row in enumerate(rows)
    ]


def _gsm8k_keys(path: Path) -> list[Key]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [
        Key(
            id=f"gsm8k:{n}",
            family="",
            text=json.loads(line)["answer"].rpartition("####")[2].strip(),
        )
        for n, line in enumerate(lines)
    ]
