"""What is decided about a program before any sandbox starts."""

from __future__ import annotations

import pytest

from reasonrl.errors import VerifierError
from reasonrl.types import Status
from reasonrl.verify.code.verdict import MAX_CODE_CHARS, CodeOptions, Program, read_program
from reasonrl.verify.finding import Finding

TESTS = '{"inputs": ["1"], "outputs": ["1"]}'


def test_a_program_is_read_with_its_answer_key() -> None:
    assert read_program(TESTS, "```python\npass\n```") == Program(code="pass\n", answer=TESTS)


@pytest.mark.parametrize(
    ("answer", "response", "status"),
    [
        ("{}", "```python\npass\n```", Status.NO_TESTS),
        ("{}", "no block", Status.NO_TESTS),
        (TESTS, "no block", Status.NO_CODE),
        (TESTS, f"```python\n{'#' * MAX_CODE_CHARS}\n```", Status.COMPILE_ERROR),
    ],
)
def test_a_faulty_task_comes_before_a_faulty_response(
    answer: str, response: str, status: Status
) -> None:
    finding = read_program(answer, response)

    assert isinstance(finding, Finding)
    assert finding.status is status


@pytest.mark.parametrize(
    "options", [{"time_s": 0.0}, {"time_s": 121.0}, {"memory_mb": 31}, {"problem_s": 0.0}]
)
def test_impossible_limits_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(VerifierError):
        CodeOptions(**options)  # type: ignore[arg-type]
