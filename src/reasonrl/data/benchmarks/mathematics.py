"""AIME 2024 and 2025, MATH-500 and GSM8K."""

from __future__ import annotations

from collections.abc import Mapping

from reasonrl.data.benchmarks.adapter import BOXED, BenchmarkAdapter, Row, field, user_turn
from reasonrl.data.benchmarks.hub import HubFiles
from reasonrl.errors import DataError
from reasonrl.types import Kind, Problem


def _aime(name: str, row: Row, index: str) -> Problem:
    """Return a problem without instruction, from the released schema or from problem and answer."""
    if isinstance(turns := row.get("prompt"), list) and isinstance(
        reward := row.get("reward_model"), Mapping
    ):
        turn = turns[0] if turns and isinstance(turns[0], Mapping) else {}
        text, answer = field(turn, "content"), field(reward, "ground_truth")
    else:
        text, answer = field(row, "problem", "question", "Problem"), field(row, "answer", "Answer")
    return _problem(name, index, text.removesuffix(BOXED).rstrip(), answer)


def _math500(row: Row, index: str) -> Problem:
    return _problem("math500", index, field(row, "problem"), field(row, "answer"))


def _gsm8k(name: str, row: Row, index: str) -> Problem:
    """Return a problem whose answer is the number after `####`, without thousands separators."""
    _, mark, answer = field(row, "answer").rpartition("####")
    if not mark:
        raise DataError(
            "an answer without ####",
            expected="a solution of GSM8K",
            remedy="check that this is the right file",
        )
    return _problem(name, index, field(row, "question"), answer.strip().replace(",", ""))


def _problem(name: str, index: str, text: str, answer: str) -> Problem:
    return Problem(
        id=f"{name}-{index}", prompt=user_turn(text), answer=answer, kind=Kind.MATH, source=name
    )


MATHEMATICS = (
    BenchmarkAdapter(
        name="aime24",
        kind=Kind.MATH,
        hub=HubFiles("HuggingFaceH4/aime_2024", ("data/train-00000-of-00001.parquet",)),
        local=("aime24.*", "*/aime24.*"),
        read=lambda row, index: _aime("aime24", row, index),
        size=30,
    ),
    BenchmarkAdapter(
        name="aime25",
        kind=Kind.MATH,
        hub=HubFiles("math-ai/aime25", ("test.jsonl",)),
        local=("aime25.*", "*/aime25.*"),
        read=lambda row, index: _aime("aime25", row, index),
        size=30,
        is_instructed=False,
    ),
    BenchmarkAdapter(
        name="math500",
        kind=Kind.MATH,
        hub=HubFiles("HuggingFaceH4/MATH-500", ("test.jsonl",)),
        local=("math500.*", "MATH-500/test.jsonl", "*/test_math_math.json"),
        read=_math500,
        size=500,
    ),
    BenchmarkAdapter(
        name="gsm8k",
        kind=Kind.MATH,
        hub=HubFiles("openai/gsm8k", ("main/test-00000-of-00001.parquet",)),
        local=("gsm8k.*", "gsm8k/test.*", "gsm8k/main/test-*.parquet"),
        read=lambda row, index: _gsm8k("gsm8k", row, index),
        size=1319,
    ),
)

GSM8K_TRAINING = BenchmarkAdapter(
    name="gsm8k",
    kind=Kind.MATH,
    hub=HubFiles("openai/gsm8k", ("main/train-00000-of-00001.parquet",)),
    local=("gsm8k-train.*", "train.*", "gsm8k/train.*", "gsm8k/main/train-*.parquet"),
    read=lambda row, index: _gsm8k("gsm8k-train", row, index),
    size=7473,
)
