"""HTTP over unix sockets."""

from __future__ import annotations

import http.client
from pathlib import Path

import httpx

from jupyter_deploy.system.unix_http import UnixConnection


def client(socket: str | Path, timeout: float) -> httpx.Client:
    """A client of whoever listens on ``socket``.

    Without ``trust_env=False`` a proxy of the environment would take precedence over the socket, and without
    ``verify=False`` each client would read all certificates for the TLS that a socket does not have.
    """
    transport = httpx.HTTPTransport(uds=str(socket), verify=False)
    return httpx.Client(transport=transport, base_url="http://localhost", timeout=timeout, trust_env=False)


def says_ready(socket: str, timeout: float) -> bool:
    """Whether a worker listens there and can be asked."""
    if not Path(socket).exists():
        return False
    worker = UnixConnection(socket, timeout)
    try:
        worker.request("GET", "/readyz")
        return worker.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        worker.close()
