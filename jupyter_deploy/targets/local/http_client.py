"""HTTP requests to an endpoint, and the command lines for them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.targets.envoy.documents import TOKEN_HEADER
from jupyter_deploy.targets.header_files import token_in

from . import unix

# Characters of an argument that people paste: a table's row, but no image.
_MOST_ARGUMENT = 1000

GATEWAY_HOST = "127.0.0.1"
"""The host in the URLs of this machine's gateway; the URLs of other targets have other hosts."""


class HttpClient:
    """The Client port. It ignores proxies of the environment, since the gateway is on this machine.

    Requests go to the gateway's socket, which no other user can take: another server may listen on its TCP port, and
    must not get data and token.

    Parameters
    ----------
    public_url
        Where others reach the gateway, ``{port}`` standing for its port; None: nowhere.
    socket
        Returns the path of the gateway's socket; None: this client sends no requests.
    """

    def __init__(self, public_url: str | None = None, socket: Callable[[], Path] | None = None) -> None:
        self._public_url = public_url
        self._socket = socket

    def post(self, url: str, body: Any, header_file: Path | None = None) -> tuple[int, Mapping[str, str], Any]:
        """POST ``body``, also with arrays and data frames, as JSON; waits up to two minutes for the response."""
        import httpx  # an address needs none

        from jupyter_deploy.serving.values import codec

        try:
            body = codec.to_json(body)
        except TypeError as error:
            raise InvalidInput(
                f"the data cannot be sent as JSON: {error}", "give lists, dicts, arrays or tables"
            ) from error
        local = urlsplit(url).hostname == GATEWAY_HOST
        headers = {TOKEN_HEADER: token_in(header_file)} if header_file else {}
        try:
            with unix.client(self._path(), 120) if local else httpx.Client(timeout=120) as client:
                response = client.post(url, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise TargetError(
                f"the gateway of {url} does not answer: {error}", "'nbdeploy reconcile' starts the endpoints"
            ) from error
        kind = response.headers.get("content-type", "")
        return response.status_code, dict(response.headers), response.json() if "json" in kind else response.text

    def _path(self) -> Path:
        if self._socket is None:
            raise TargetError("this client has no gateway")
        return self._socket()

    def public(self, url: str) -> str | None:
        """The public URL for a URL of this machine."""
        if self._public_url is None or urlsplit(url).hostname != GATEWAY_HOST:
            return None
        local = urlsplit(url)
        return f"{self._public_url.replace('{port}', str(local.port))}{local.path}"

    def command(self, url: str, body: Any, header_file: Path | None = None) -> str:
        """A command line that posts ``body`` to the public URL, or without one to ``url``.

        curl reads the token from its file: every user of the machine could see it as an argument.
        """
        token = f" -H @{shlex.quote(str(header_file))}" if header_file else ""
        address = self.public(url) or url
        sent = shlex.quote(json.dumps(body))
        if len(sent) > _MOST_ARGUMENT:
            sent = f"@request.json  # such as the example in {address.removesuffix('/predict')}/openapi.json"
        return f"curl -s {address} -H 'content-type: application/json'{token} -d {sent}"
