"""A judge believes an answer only if it has the shape of an answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from reasonrl.verify.sandbox import frames, values
from reasonrl.verify.sandbox.failures import BrokenTask, ProgramError, Tampered
from reasonrl.verify.sandbox.remote import ProgramGone, Remote
from reasonrl.verify.sandbox.stand import Stand


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


def test_an_exception_of_the_program_keeps_its_arguments(
    channel: tuple[Remote, socket.socket],
) -> None:
    remote, program = channel
    described = {
        "name": "KeyError",
        "kinds": ["KeyError", "LookupError", "Exception"],
        "text": "'x'",
        "arguments": values.encode(["x"], {}, id),
        "tree": ["KeyError"],
    }
    answer(program, {"error": described})

    with pytest.raises(KeyError) as caught:
        Stand(remote, "f")()
    assert caught.value.args == ("x",)


def test_a_class_of_exceptions_of_the_program_has_the_same_bases_here(
    channel: tuple[Remote, socket.socket],
) -> None:
    remote, program = channel
    tree = ["Bad", 8, [["Base", 9, [["ValueError"]]]]]
    described = {"name": "Bad", "kinds": ["ValueError"], "text": "no", "tree": tree, "number": 7,
                 "arguments": values.encode([1], {}, id)}  # fmt: skip
    answer(program, {"error": described})

    with pytest.raises(ValueError, match="no") as caught:
        Stand(remote, "f")()
    assert [kind.__name__ for kind in type(caught.value).__mro__[:2]] == ["Bad", "Base"]


@pytest.mark.parametrize(
    "tree", ["Bad", [], [3], ["Bad", "x", []], ["Bad", 3, "x"], ["Bad", 3, [["B", 4, 5]]]]
)
def test_a_forged_class_of_exceptions_is_tampering(
    channel: tuple[Remote, socket.socket], tree: object
) -> None:
    remote, program = channel
    answer(program, {"error": {"name": "Bad", "kinds": [], "text": "", "tree": tree}})

    with pytest.raises(Tampered):
        Stand(remote, "f")()


def test_a_stop_iteration_of_the_program_ends_no_loop_of_the_test(
    channel: tuple[Remote, socket.socket],
) -> None:
    remote, program = channel
    answer(program, {"error": {"name": "StopIteration", "kinds": ["StopIteration"], "text": ""}})

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(map(Stand(remote, "f"), [1]))


def test_an_object_of_the_program_never_meets_an_expected_value(
    channel: tuple[Remote, socket.socket],
) -> None:
    remote, program = channel
    # The program says that it has no plain data in place of the object.
    answer(program, *[{"value": {"nodes": [["kept", 5]], "root": [0]}}] * 2)

    stand: Any = Stand(remote, 5)

    assert (stand == 3) is False
    with pytest.raises(TypeError):
        stand - 3
    assert frames.receive(program.fileno())["do"] == "self"


def test_a_method_that_returns_its_object_returns_it_without_a_rank(
    channel: tuple[Remote, socket.socket],
) -> None:
    remote, program = channel
    remote.class_names = {"Money"}
    answer(program, *[{"value": {"nodes": [["kept", 5]], "root": [0]}}] * 2)
    made = Stand(remote, "Money")(1)

    assert (made._rank, made.itself._rank) == (2, 0)
