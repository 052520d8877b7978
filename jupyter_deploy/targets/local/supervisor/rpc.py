"""XML-RPC over a unix socket with a time limit; supervisor's own transport has none."""

from __future__ import annotations

import http.client
import xmlrpc.client
from typing import Any

from jupyter_deploy.system.unix_http import UnixConnection

_SECONDS = 10.0


class UnixTransport(xmlrpc.client.Transport):
    """A transport for ``ServerProxy`` to the socket ``path``; raises ``TimeoutError`` after ten seconds."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002 - the socket is the address
        """A new connection; ``host`` is ignored."""
        return UnixConnection(self._path, _SECONDS)
