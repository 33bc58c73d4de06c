"""Messages over a byte stream: four bytes of length, then JSON. Called by all processes.

Reading allocates no more than was sent and no more than the limit; what is not JSON, too deep or
cut off is `Malformed`.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

MAX_BYTES = 32 << 20
MAX_JOB_BYTES = 512 << 20  # of a job, which comes from the trainer with all its tests
_CHUNK = 1 << 18


class Malformed(Exception):
    """Report bytes that are no message: a process that does not keep to the protocol."""


class Closed(Exception):
    """Report that the other side is gone."""


def pack(message: object, most: int = MAX_BYTES) -> bytes:
    """Return one message as it is written. Raises Malformed if it is too long."""
    body = json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if len(body) > most:
        raise Malformed(f"a message of {len(body)} bytes")
    return struct.pack("!I", len(body)) + body


def send(descriptor: int, message: object, most: int = MAX_BYTES) -> None:
    """Write one message. Raises Closed, or Malformed if it is too long."""
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
