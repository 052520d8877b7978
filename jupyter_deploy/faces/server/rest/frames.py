"""What the server and the asked process say to each other: a line of JSON, then as many bytes as it says.

``{"id", "method", "path", "query", "base", "if_match", "length"}`` asks; ``{"id", "status", "headers", "length"}``
answers. ``{"id", "after"}`` asks for events, which come as ``{"id", "more": true, "length"}`` until
``{"id", "cancel": true}``. Light: the server imports it.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO


def packed(head: dict[str, Any], body: bytes = b"") -> bytes:
    """One message."""
    return json.dumps(head | {"length": len(body)}).encode() + b"\n" + body


def read(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next message; None: the other has gone, be it in the middle of one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head: dict[str, Any] = json.loads(line)
    body = stream.read(head["length"])
    return (head, body) if len(body) == head["length"] else None
