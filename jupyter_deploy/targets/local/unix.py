"""HTTP over unix sockets."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_deploy.system.unix_http import UnixConnection

if TYPE_CHECKING:
    import httpx


def client(socket: str | Path, timeout: float) -> httpx.Client:
    """An HTTP client of the server on ``socket``.

    Without ``trust_env=False`` a proxy of the environment takes precedence over the socket, and without
    ``verify=False`` each client reads all certificates, although a socket has no TLS.
    """
    import httpx  # a look at what runs needs none

    transport = httpx.HTTPTransport(uds=str(socket), verify=False)
    return httpx.Client(transport=transport, base_url="http://localhost", timeout=timeout, trust_env=False)


def is_ready(socket: str, timeout: float) -> bool:
    """Whether the worker on a socket reports that it is ready."""
    return _status(socket, "/readyz", timeout) == 200


def answers(socket: Path, timeout: float) -> bool:
    """Whether a server answers on a socket, whatever the status."""
    return _status(str(socket), "/", timeout) is not None


def _status(socket: str, path: str, timeout: float) -> int | None:
    if not Path(socket).exists():
        return None
    connection = UnixConnection(socket, timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
