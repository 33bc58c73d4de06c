"""Messages over a byte stream: four bytes of length, then JSON. Used by all processes here.

Reading allocates no more than was sent, and no more than the limit. Bytes that are not JSON, or are
nested too deeply, raise `Malformed`; a stream that ends within a message raises `Closed`.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

MAX_BYTES = 64 << 20
# A job comes from the trainer and holds all tests; a request of a judge holds arguments of a test.
MAX_JOB_BYTES = 512 << 20
_CHUNK = 1 << 18


class Malformed(Exception):
    """The bytes are no message: the other process breaks the protocol."""


class Closed(Exception):
    """The other side has closed the stream."""


def pack(message: object, most: int = MAX_BYTES) -> bytes:
    """Return the bytes of one message. Raises Malformed for more than `most`, or for no JSON."""
    try:
        body = json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError) as error:
        raise Malformed(str(error)[:200]) from error
    if len(body) > most:
        raise Malformed(f"a message of {len(body)} bytes")
    return struct.pack("!I", len(body)) + body


def send(descriptor: int, message: object, most: int = MAX_BYTES) -> None:
    """Write one message. Raises Closed, or Malformed for more than `most` bytes."""
    rest = memoryview(pack(message, most))
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except (BrokenPipeError, ConnectionError) as error:
        raise Closed from error


def receive(descriptor: int, most: int = MAX_BYTES) -> Any:
    """Read one message. Raises Closed at the end of the stream, Malformed for anything else."""
    (length,) = struct.unpack("!I", _read(descriptor, 4))
    if length > most:
        raise Malformed(f"a message of {length} bytes")
    try:
        return json.loads(_read(descriptor, length).decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)[:200]) from error


def _read(descriptor: int, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        try:
            part = os.read(descriptor, min(_CHUNK, length - len(parts)))
        except ConnectionError as error:
            raise Closed from error
        if not part:
            raise Closed
        parts += part
    return bytes(parts)
