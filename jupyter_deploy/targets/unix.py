"""HTTP over unix sockets."""

from __future__ import annotations

from pathlib import Path

import httpx


def client(socket: str | Path, timeout: float) -> httpx.Client:
    """A client of whoever listens on ``socket``.

    Without ``trust_env=False`` a proxy of the environment would take precedence over the socket, and without
    ``verify=False`` each client would read all certificates for the TLS that a socket does not have.
    """
    transport = httpx.HTTPTransport(uds=str(socket), verify=False)
    return httpx.Client(transport=transport, base_url="http://localhost", timeout=timeout, trust_env=False)
