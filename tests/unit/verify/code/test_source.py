"""Which block of a response is its program."""

from __future__ import annotations

import pytest

from reasonrl.verify.code.source import last_program


def test_the_last_complete_block_of_python_is_the_program() -> None:
    text = "```python\nfirst\n```\n```py\nsecond\n```\n```python\nunclosed\n"

    assert last_program(text) == "second\n"


def test_a_block_without_a_mark_counts_only_where_no_block_is_marked() -> None:
    output = "```\n42\n```"

    assert last_program(f"```python\nprint(42)\n```\n{output}") == "print(42)\n"
    assert last_program(output) == "42\n"


@pytest.mark.parametrize(
    "opening", ["```python", "``` Python3 x=1", "~~~py", "````{.python}", "  ```py"]
)
def test_every_spelling_of_a_fence_is_known(opening: str) -> None:
    marks = "~~~" if "~" in opening else "````"

    assert last_program(f"{opening}\npass\n{marks}\n") == "pass\n"


def test_a_shorter_fence_does_not_close_a_longer_one() -> None:
    assert last_program("````python\n```\npass\n````") == "```\npass\n"


def test_the_indent_of_the_fence_is_taken_from_every_line() -> None:
    assert last_program("  ```python\n  if x:\n      pass\n  ```") == "if x:\n    pass\n"


@pytest.mark.parametrize(
    "text", ["print(1)", "```c\nx;\n```", "```python\n\n```", "```python\nx", ""]
)
def test_a_response_without_a_complete_python_block_has_no_program(text: str) -> None:
    assert last_program(text) is None


def test_lines_that_end_as_on_windows_are_fences_too() -> None:
    assert last_program("```python\r\npass\r\n```\r\n") == "pass\r\n"
