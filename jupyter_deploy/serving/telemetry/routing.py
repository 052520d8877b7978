"""The dependence and the routing of a request, for its record: the canary's share in force, and the request's cluster.

The gateway sends ``x-rollout-canary: tumour:bbb;share=0.05`` with each request that it shares between stable and a
canary, and ``x-rollout-salt`` with each prediction. The salt keeps a user's key from being guessed from its hash.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple

_DIGEST_BYTES = 8
_ENDS = 64 * 1024


class Routing(NamedTuple):
    """The candidate that shared the requests with stable, and its share of them.

    Attributes
    ----------
    canary
        The canary's tag.
    share
        The canary's share of the requests, above 0 and at most 1, whichever release answered this one.
    """

    canary: str
    share: float


@lru_cache(maxsize=256)
def routing(header: bytes | None) -> Routing | None:
    """Parse the header; None: the request was not shared, or the header has another form."""
    if header is None:
        return None
    canary, _, share = header.decode("latin-1").partition(";share=")
    try:
        known = Routing(canary, float(share))
    except ValueError:
        return None
    return known if known.canary and 0 < known.share <= 1 else None


def hash_key(key: bytes | None, salt: bytes | None) -> str | None:
    """Return the hash of a client's ``x-sticky-key``; None without a key, or without the gateway's salt."""
    if not key or not salt:
        return None
    return hashlib.blake2b(key, key=salt[:64], digest_size=_DIGEST_BYTES).hexdigest()


def digest_inputs(inputs: bytes) -> str | None:
    """Return a digest of a record's inputs, as their JSON; None if they are not recorded.

    Of very long inputs only both ends and the length count, so that the digest takes less than a millisecond.
    """
    if inputs == b"null":
        return None
    digest = hashlib.blake2b(inputs[:_ENDS], digest_size=_DIGEST_BYTES)
    if len(inputs) > _ENDS:
        digest.update(b"%d:" % len(inputs) + inputs[-_ENDS:])
    return digest.hexdigest()
