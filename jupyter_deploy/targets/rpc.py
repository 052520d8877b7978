"""XML-RPC over a unix socket with a time limit; supervisor's own transport has none."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from typing import Any

_SECONDS = 10.0


class UnixTransport(xmlrpc.client.Transport):
    """For ``ServerProxy``: whoever listens on ``path``; ``TimeoutError`` after ten seconds."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002 - the socket is the address
        """A new connection; ``host`` is not looked at."""
        return _Connection(self._path)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)
