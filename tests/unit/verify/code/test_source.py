"""Which block of a response is its program."""

from __future__ import annotations

import time

import pytest

from reasonrl.verify.code.source import last_program

F = "`" * 3
DOC = f'def f():\n    """\n    {F}\n    f()\n    {F}\n    """\nprint(f())\n'
EXAMPLE = f'def f():\n    """\n{F}python\nf()\n{F}\n    """\nprint(1)\n'


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


@pytest.mark.parametrize(
    "label",
    ["python", "py", "py3", "python3", "Python 3", "python3.11", "ipython", "IPython3", "pypy3",
     "{.python .numberLines}", "python:main.py", "python solution.py", "python\t"],
)  # fmt: skip
def test_these_labels_mean_python(label: str) -> None:
    assert last_program(f"{F}{label}\npass\n{F}") == "pass\n"


@pytest.mark.parametrize("label", ["pycon", "sage", "py-x", "pyx", "python-console", "c", "text"])
def test_these_labels_mean_another_language(label: str) -> None:
    assert last_program(f"{F}{label}\npass\n{F}") is None


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (f"{F}python print(1){F}", "print(1)\n"),
        (f"{F}python print(1){F}.", "print(1)\n"),
        (f"{F}py\npass\n{F}.", "pass\n"),
        (f"{F}py\npass\n{F} This prints it.", "pass\n"),
        (f"{F}py\npass\n{F}Done", "pass\n"),
        (f"{F}py\npass{F}\n", "pass\n"),
        (f"{F}py\npass\n    {F}\n", "pass\n"),
        (f"{F}py\nx = '{F}'\n{F}", f"x = '{F}'\n"),
        (f"{F}py\npass  # {F}\n{F}", f"pass  # {F}\n"),
        (f"{F}py\npass  # it's\n{F}\nIt's {F}pass{F}.", "pass  # it's\n"),
    ],
)
def test_a_block_may_close_behind_its_last_line_or_before_a_text(text: str, program: str) -> None:
    assert last_program(text) == program


@pytest.mark.parametrize("program", [DOC, EXAMPLE, f's = """\n{F}\n"""\npass\n'])
def test_a_fence_in_a_text_belongs_to_the_program(program: str) -> None:
    assert last_program(f"{F}python\n{program}{F}\nIt prints:\n{F}\n1\n{F}") == program


def test_a_text_that_never_ends_does_not_hide_the_fence() -> None:
    text = f"{F}python\nx = '''\n{F}\nand\n{F}python\npass\n{F}"

    assert last_program(text) == "pass\n"
    assert last_program(text.split("and")[0]) == "x = '''\n"


def test_a_block_that_is_never_closed_ends_where_the_next_one_opens() -> None:
    assert last_program(f"{F}python\nold\n\n{F}python\npass\n{F}") == "pass\n"
    assert last_program(f"{F}python\n{F}python\npass\n{F}\n{F}") == "pass\n"


def test_a_block_of_markdown_is_read_through() -> None:
    assert last_program(f"{F}markdown\n{F}python\npass\n{F}\n{F}") == "pass\n"


def test_a_byte_order_mark_is_dropped() -> None:
    assert last_program(f"\ufeff{F}python\n\ufeffpass\n{F}") == "pass\n"


@pytest.mark.parametrize(
    "text",
    [
        F + " " * 400_000 + "`\n...",
        "\n".join([F] * 100_000),
        f"{F}python\n'''\n{F}\n" * 25_000,
        (f'{F}python\n"""\n{F}\n' + f"{F}python\n'''\n{F}\n") * 12_000 + "'''",
        f"{F}python\n" + f"x{F}y " * 60_000,
        f"{F}python\n" + "'" * 400_000,
        f"{F}python\n" + "`" * 400_000,
        f"{F}python\nx{F}\n" * 25_000,
        f"{F}python " * 40_000 + F,
    ],
)
def test_the_program_is_found_in_linear_time(text: str) -> None:
    start = time.process_time()
    last_program(text)

    # The former pattern of fences needed 15 minutes for the first text.
    assert time.process_time() - start < 3
