"""Seeds from names, so that randomness depends on what is sampled and never on call order.

Does not generate random numbers and keeps no state. The usual call is
`derive_seed(run_seed, purpose, step, problem_id)`.
"""

from __future__ import annotations

import hashlib
import operator


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2**63) that depends on `parts` alone, on every machine and version.

    The hash is BLAKE2b over each part as type, length and bytes. Different lists of parts have
    different encodings: ("a", "bc") differs from ("ab", "c"), and 1 from "1". Raise TypeError for a
    float.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, str):
            tag, data = b"s", part.encode("utf-8", "surrogatepass")
        else:
            tag, data = b"i", str(operator.index(part)).encode("ascii")
        digest.update(b"%b%d:%b" % (tag, len(data), data))
    return int.from_bytes(digest.digest(), "big") >> 1
