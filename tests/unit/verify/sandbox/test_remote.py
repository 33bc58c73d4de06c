"""A judge believes an answer only if it has the shape of an answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from reasonrl.verify.sandbox import frames, values
from reasonrl.verify.sandbox.remote import (
    BrokenTask,
    ProgramError,
    ProgramGone,
    Remote,
    Stand,
    Tampered,
)


@pytest.fixture
def channel() -> Iterator[tuple[Remote, socket.socket]]:
    # Tests write the answers to the program's end before the remote asks.
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Remote(ours.fileno(), set()), theirs


def answer(program: socket.socket, *replies: object) -> None:
    for reply in replies:
        frames.send(program.fileno(), reply)


def test_the_names_of_a_solution_are_known_once_it_is_loaded(
    channel: tuple[Remote, socket.socket],
) -> None:
    remote, program = channel
    answer(program, {"names": ["f", "Solution.g"]})

    assert remote.load("", "def f(): pass") == ["f", "Solution.g"]
    assert remote.has("Solution.g")
    assert not remote.has("h")
    assert frames.receive(program.fileno())["code"] == "def f(): pass"


@pytest.mark.parametrize(
    "reply",
    [
        [],
        {"names": "f"},
        {"names": [1]},
        {"error": "an error"},
        {"error": {"name": "E", "text": 3}},
    ],
)
def test_an_answer_of_another_shape_is_tampering(
    channel: tuple[Remote, socket.socket], reply: object
) -> None:
    remote, program = channel
    answer(program, reply)

    with pytest.raises(Tampered):
        remote.load("", "")


def test_a_forged_value_is_tampering(channel: tuple[Remote, socket.socket]) -> None:
    remote, program = channel
    answer(program, {"value": {"nodes": [["list", [[7]]]], "root": [0]}})

    with pytest.raises(Tampered):
        Stand(remote, "f")(1)


def test_a_program_that_hangs_up_is_gone(channel: tuple[Remote, socket.socket]) -> None:
    remote, program = channel
    program.close()

    with pytest.raises(ProgramGone):
        remote.load("", "")


@pytest.mark.parametrize(
    ("kinds", "error"),
    [(["KeyError", "LookupError", "Exception"], KeyError), (["BaseException"], ProgramError),
     ([], ProgramError), (["SystemExit"], ProgramError), (["UnicodeDecodeError"], ProgramError)],
)  # fmt: skip
def test_an_exception_of_the_program_is_raised_as_its_builtin_type(
    channel: tuple[Remote, socket.socket], kinds: list[str], error: type[Exception]
) -> None:
    remote, program = channel
    answer(program, {"error": {"name": "Own", "kinds": kinds, "text": "3"}})

    with pytest.raises(error, match="3") as caught:
        Stand(remote, "f")()
    assert type(caught.value) is error


def test_a_changed_argument_is_copied_back_after_a_call_that_returns_none(
    channel: tuple[Remote, socket.socket],
) -> None:
    remote, program = channel
    result, changed = (values.encode(value, {}, id) for value in (None, [[[1, 2]], {}]))
    answer(program, {"value": result, "given": changed})
    items = [2, 1]

    remote.call("sort", (items,), {})

    assert items == [1, 2]


def test_a_value_that_cannot_be_sent_is_the_fault_of_the_task(
    channel: tuple[Remote, socket.socket],
) -> None:
    with pytest.raises(BrokenTask, match="function"):
        Stand(channel[0], "f")(lambda: 0)
