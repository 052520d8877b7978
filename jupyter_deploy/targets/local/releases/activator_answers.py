"""The activator's own HTTP responses: to probes of idle releases, and to clients of one that does not start."""

from __future__ import annotations

import json
import re
import socket
import threading
import uuid
from contextlib import suppress

from jupyter_deploy.domain.release.processes import IDLE
from jupyter_deploy.serving.asgi.messages import Response
from jupyter_deploy.serving.asgi.problems import Problem
from jupyter_deploy.serving.hosting.outer_app import is_probe

_HEAD_BYTES = 64 * 1024
_LAST_SECONDS = 5.0
_PHRASES = {200: "OK", 503: "Service Unavailable"}
_REQUEST_ID = re.compile(rb"\r\nx-request-id: *([^\r\n]+)\r\n", re.IGNORECASE)


def peek(connection: socket.socket) -> bytes | None:
    """The beginning of a request, which stays unread; None: the client has closed the connection."""
    with suppress(BlockingIOError):
        try:
            return connection.recv(_HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT) or None
        except ConnectionError:
            return None
    return b""


def to_probe(head: bytes, tag: str) -> bytes | None:
    """The response to a health check or a request for metrics; None: it is another request."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
    if method not in (b"GET", b"HEAD") or not is_probe(path):
        return None
    if path == "/metrics":
        response = Response(200, f"# {IDLE}\n".encode(), "text/plain; version=0.0.4; charset=utf-8")
    else:
        response = Response(200, json.dumps({"detail": IDLE}).encode())
    return _bytes(response, head, tag, body=method != b"HEAD")


def refusal(head: bytes, tag: str, reason: str) -> bytes:
    """The problem 503 for a client of a release that does not start."""
    problem = Problem(503, f"the release was idle and does not start: {reason}", headers=[(b"retry-after", b"1")])
    return _bytes(problem.response(_request_id(head)), head, tag)


def send(connection: socket.socket, answer: bytes) -> None:
    """Send a response and close the connection, in a thread of its own: the client may still be sending."""
    threading.Thread(target=_send, args=(connection, answer), daemon=True).start()


def _send(connection: socket.socket, answer: bytes) -> None:
    with connection, suppress(OSError):
        connection.settimeout(_LAST_SECONDS)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(_HEAD_BYTES):  # unread bytes would reset the connection and lose the response
            pass


def _request_id(head: bytes) -> str:
    found = _REQUEST_ID.search(head)
    return found[1].decode("latin-1") if found else str(uuid.uuid4())


def _bytes(response: Response, head: bytes, tag: str, *, body: bool = True) -> bytes:
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        "connection": "close",
        "x-request-id": _request_id(head),
        "x-model-version": tag,
    } | {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
    lines = [f"HTTP/1.1 {response.status} {_PHRASES[response.status]}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (response.body if body else b"")
