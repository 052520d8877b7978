"""Names of messages of brokers that count none. Pure, but for random names."""

from __future__ import annotations

from hashlib import sha256
from uuid import uuid4


def position_of(place: str, given: str | None, body: bytes) -> str:
    """Return the position of a delivery, by which the pipeline knows a message that is open already.

    Two messages of one id and one body are one message. A message without an id has another position at each delivery,
    so none can be taken for another one; if it comes again, it is answered again.

    Parameters
    ----------
    given
        The id that the producer gave; None or empty: none.
    """
    if not given:
        return f"{place}:{uuid4().hex}"
    return f"{place}:{given}:{sha256(body).hexdigest()[:16]}"
