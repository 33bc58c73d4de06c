"""The corpus of programs, and the references of public data sets, judged in the sandbox."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasonrl.types import Kind, Status, Task
from reasonrl.verify import Verifier, VerifyItem
from tests.corpus.programs import KINDS, read_programs

KNOWN_FAILURES = {
    "word-ladder-ii",  # its order of paths is that of a set of texts: a matter of the hash seed
    "find-the-number-of-subsequences-with-equal-gcd",  # 10 to 20 s for one assertion
}

Reference = tuple[str, str, dict[str, Any]]  # id, program, tests


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier() as shared:
        yield shared


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_program_of_the_corpus_gets_its_reward(verifier: Verifier, kind: str) -> None:
    programs = [program for program in read_programs() if program.kind == kind]
    verdicts = verifier.verify_batch([program.item for program in programs])

    wrong = {
        str(program): (verdict.status, verdict.reason)
        for program, verdict in zip(programs, verdicts, strict=True)
        if verdict.reward != program.reward
        or (program.status not in ("", "*") and verdict.status != program.status)
    }
    assert not wrong
    assert len(programs) > 50


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param("humaneval", marks=pytest.mark.slow),
        pytest.param("mbpp", marks=pytest.mark.long),
        pytest.param("leetcode-train", marks=pytest.mark.long),
        pytest.param("leetcode-test", marks=pytest.mark.long),
    ],
)
def test_references_pass_and_fail_when_one_expected_output_is_changed(
    verifier: Verifier, shared_data: Path, source: str
) -> None:
    references = list(_references(shared_data, source))
    right = verifier.verify_batch([_item(code, tests) for _, code, tests in references])
    changed = verifier.verify_batch(
        [
            _item(code, _with_one_changed(tests, number))
            for number, (_, code, tests) in enumerate(references)
        ]
    )

    failed = {
        name: verdict.reason
        for (name, _, _), verdict in zip(references, right, strict=True)
        if verdict.status is not Status.PASS
    }
    assert failed.keys() <= KNOWN_FAILURES
    assert {verdict.reward for verdict in changed} == {0.0}


def _item(code: str, tests: dict[str, Any]) -> VerifyItem:
    limits = {"time_s": 20, "memory_mb": 1024}
    return VerifyItem(
        task=Task(kind=Kind.CODE, answer=json.dumps(tests | {"limits": limits})),
        response=f"```python\n{code}\n```",
    )


def _references(data: Path, source: str) -> Iterator[Reference]:
    if source == "mbpp":
        for row in _rows(data / "mbpp/mbpp.jsonl"):
            setup = {"test_setup_code": row["test_setup_code"]}
            yield str(row["task_id"]), row["code"], {"assert_case": row["test_list"], **setup}
    elif source == "humaneval":
        for row in _rows(data / "humaneval/HumanEval.jsonl.gz"):
            code = row["prompt"] + row["canonical_solution"]
            yield row["task_id"], code, _check(row["test"], row["entry_point"], "")
    else:
        (path,) = (data / "leetcode").glob(f"*-{source.removeprefix('leetcode-')}.jsonl.gz")
        for row in _rows(path):
            tests = _check(row["test"], row["entry_point"], row["prompt"])
            yield row["task_id"], row["completion"], tests


def _check(test_code: str, entry_point: str, prefix: str) -> dict[str, Any]:
    return {"test_code": test_code, "entry_point": entry_point, "import_prefix": prefix}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    yield from map(json.loads, text.splitlines())


def _with_one_changed(tests: dict[str, Any], number: int) -> dict[str, Any]:
    """Change what one assertion expects: a different one for each problem."""
    if "test_code" in tests:
        return tests | {"test_code": _changed(tests["test_code"], number)}
    cases = list(tests["assert_case"])
    place = number % len(cases)
    cases[place] = _changed(cases[place], 0)
    return tests | {"assert_case": cases}


def _changed(source: str, number: int) -> str:
    tree = ast.parse(source)
    assertions = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    chosen = assertions[number % len(assertions)]
    test = chosen.test
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq) and len(test.ops) == 1:
        test.comparators = [ast.Tuple([test.comparators[0], ast.Constant("x")], ast.Load())]
    else:
        chosen.test = ast.UnaryOp(ast.Not(), test)
    return ast.unparse(ast.fix_missing_locations(tree))
