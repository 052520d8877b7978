"""The release's side of the activator, which keeps the sockets of idle releases and starts them on a request.

A message is one line of JSON, with descriptors:

    {"take": PATH}    -> {"listening": true} and the listening socket; or false: the release is not idle
    {"keep": PATH} and the listening socket  -> {"kept": true}: from now on the activator has it
    {"ready": PATH}   -> {"connections": N} and the connections that the activator accepted for the release

Standard library only: the activator uses it too.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

_SECONDS = 10.0
_LINE_BYTES = 4096

# Linux passes at most 253 descriptors in one message.
MOST_CONNECTIONS = 128


def take(activator: str, path: str) -> socket.socket | None:
    """Return the listening socket of an idle release; None: it is not idle, or there is no activator."""
    try:
        _, descriptors = _call(activator, {"take": path})
    except (OSError, ValueError):
        return None
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def keep(activator: str, path: str, listener: socket.socket) -> bool:
    """Hand the listening socket over; False: the activator does not answer, and the release must go on."""
    try:
        answer, _ = _call(activator, {"keep": path}, [listener.fileno()])
    except (OSError, ValueError):
        return False
    return answer.get("kept") is True


def claim(activator: str, path: str) -> list[socket.socket]:
    """Report that the release accepts connections; return those that the activator accepted for it."""
    try:
        _, descriptors = _call(activator, {"ready": path})
    except (OSError, ValueError):
        return []
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def forget(activator: str, path: str) -> None:
    """Have the activator close the socket of a release that is stopped."""
    try:
        _call(activator, {"forget": path})
    except (OSError, ValueError):
        return


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Read a message and its descriptors; raises OSError or ValueError."""
    text, descriptors = b"", list[int]()
    while not text.endswith(b"\n"):
        piece, passed, _, _ = socket.recv_fds(connection, _LINE_BYTES, MOST_CONNECTIONS)
        descriptors += passed
        if not piece:
            raise ConnectionResetError
        text += piece
    message: dict[str, Any] = json.loads(text)
    return message, descriptors


def send(connection: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Write a message and its descriptors."""
    line = json.dumps(message).encode() + b"\n"
    if descriptors:
        socket.send_fds(connection, [line], descriptors)
    else:
        connection.sendall(line)


def _call(activator: str, message: dict[str, Any], descriptors: Sequence[int] = ()) -> tuple[dict[str, Any], list[int]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(activator)
        send(connection, message, descriptors)
        return receive(connection)
