"""AIME 2024 and 2025, MATH-500 and GSM8K."""

from __future__ import annotations

from collections.abc import Mapping

from reasonrl.data.benchmarks.adapter import BOXED, Benchmark, Row, field, user_turn
from reasonrl.data.benchmarks.hub import HubFiles
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem


def _aime(name: str, row: Row, place: str) -> Problem:
    """Read the released schema, or a row with problem and answer; the prompt's text is bare."""
    if isinstance(turns := row.get("prompt"), list) and isinstance(
        reward := row.get("reward_model"), Mapping
    ):
        turn = turns[0] if turns and isinstance(turns[0], Mapping) else {}
        text, answer = field(turn, "content"), field(reward, "ground_truth")
    else:
        text, answer = field(row, "problem", "question", "Problem"), field(row, "answer", "Answer")
    return _problem(name, place, text.removesuffix(BOXED).rstrip(), answer)


def _math500(row: Row, place: str) -> Problem:
    return _problem("math500", place, field(row, "problem"), field(row, "answer"))


def _gsm8k(row: Row, place: str) -> Problem:
    """Take the number behind the solution's `####`, without its thousands separators."""
    _, mark, answer = field(row, "answer").rpartition("####")
    if not mark:
        raise DataError("an answer without ####", expected="a solution of GSM8K")
    return _problem("gsm8k", place, field(row, "question"), answer.strip().replace(",", ""))


def _problem(name: str, place: str, text: str, answer: str) -> Problem:
    return Problem(
        id=f"{name}-{place}", prompt=user_turn(text), answer=answer, kind=Kind.MATH, source=name
    )


MATHEMATICS = (
    Benchmark(
        name="aime24",
        kind=Kind.MATH,
        hub=HubFiles("HuggingFaceH4/aime_2024", ("data/train-00000-of-00001.parquet",)),
        local=("aime24.*", "*/aime24.*"),
        read=lambda row, place: _aime("aime24", row, place),
        size=30,
    ),
    Benchmark(
        name="aime25",
        kind=Kind.MATH,
        hub=HubFiles("math-ai/aime25", ("test.jsonl",)),
        local=("aime25.*", "*/aime25.*"),
        read=lambda row, place: _aime("aime25", row, place),
        size=30,
        is_instructed=False,
    ),
    Benchmark(
        name="math500",
        kind=Kind.MATH,
        hub=HubFiles("HuggingFaceH4/MATH-500", ("test.jsonl",)),
        local=("math500.*", "MATH-500/test.jsonl", "*/test_math_math.json"),
        read=_math500,
        size=500,
    ),
    Benchmark(
        name="gsm8k",
        kind=Kind.MATH,
        hub=HubFiles("openai/gsm8k", ("main/test-00000-of-00001.parquet",)),
        local=("gsm8k.*", "gsm8k/test.*", "gsm8k/main/test-*.parquet"),
        read=_gsm8k,
        size=1319,
    ),
)
