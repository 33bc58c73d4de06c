"""A message arrives as it was sent, or not at all."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from reasonrl.verify.sandbox import frames

Stream = tuple[socket.socket, socket.socket]


@pytest.fixture
def stream() -> Iterator[Stream]:
    reader, writer = socket.socketpair()
    with reader, writer:
        yield reader, writer


@pytest.mark.parametrize(
    "message", [None, 0, "ä \ud800", [1, {"a": [True, 1.5]}], {"text": "x" * 100_000}]
)
def test_a_message_arrives_as_it_was_sent(stream: Stream, message: object) -> None:
    sender = threading.Thread(target=frames.send, args=(stream[1].fileno(), message))
    sender.start()

    assert frames.receive(stream[0].fileno()) == message
    sender.join()


def test_messages_keep_their_order(stream: Stream) -> None:
    for number in range(5):
        frames.send(stream[1].fileno(), number)

    assert [frames.receive(stream[0].fileno()) for _ in range(5)] == list(range(5))


def test_a_message_over_the_limit_is_not_sent(stream: Stream) -> None:
    with pytest.raises(frames.Malformed, match="12 bytes"):
        frames.send(stream[1].fileno(), "x" * 10, most=11)


@pytest.mark.parametrize("n_bytes", [0, 2, 4, 6])
def test_a_stream_that_ends_within_a_message_is_closed(stream: Stream, n_bytes: int) -> None:
    os.write(stream[1].fileno(), frames.pack("abc")[:n_bytes])
    stream[1].close()

    with pytest.raises(frames.Closed):
        frames.receive(stream[0].fileno())


def test_nobody_listens_to_a_closed_stream(stream: Stream) -> None:
    stream[0].close()

    with pytest.raises(frames.Closed):
        frames.send(stream[1].fileno(), "abc")
