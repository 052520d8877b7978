"""HTTP over a unix socket with the standard library alone, for programs that must start fast or stay small."""

from __future__ import annotations

import http.client
import socket

_ACCEPT_SECONDS = 1.0


class UnixConnection(http.client.HTTPConnection):
    """A connection to the server on ``path``; raises ``TimeoutError`` after ``seconds`` without an answer."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket; the host's name is ignored."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def accepts(path: str) -> bool:
    """Return whether a process listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ACCEPT_SECONDS)
        try:
            client.connect(path)
        except OSError:
            return False
    return True
