"""Messages between the server and its worker: a line of JSON, then ``length`` bytes.

``{"id", "method", "path", "query", "base", "if_match", "length"}`` is a request, ``{"id", "status", "headers",
"length"}`` its response. ``{"id", "after"}`` requests events, which arrive as ``{"id", "more": true, "length"}`` until
``{"id", "cancel": true}``. Light: the server imports it.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO


def pack(head: dict[str, Any], body: bytes = b"") -> bytes:
    """Encode one message."""
    return json.dumps(head | {"length": len(body)}).encode() + b"\n" + body


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read the next message; None: the other process has ended, possibly within a message."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head: dict[str, Any] = json.loads(line)
    body = stream.read(head["length"])
    return (head, body) if len(body) == head["length"] else None
