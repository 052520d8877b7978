"""Asking an endpoint, as any client would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.serving import codec


class HttpClient:
    """The Client port. Proxies of the environment are passed over: the gateway is on this machine."""

    def post(self, url: str, body: Any) -> tuple[int, Mapping[str, str], Any]:
        """POST ``body``, arrays and data frames in it too, as JSON; waits up to two minutes for the answer."""
        try:
            body = codec.to_json(body)
        except TypeError as error:
            raise InvalidInput(
                f"the data cannot be sent as JSON: {error}", "give lists, dicts, arrays or tables"
            ) from error
        try:
            with httpx.Client(trust_env=False, timeout=120) as client:
                response = client.post(url, json=body)
        except httpx.HTTPError as error:
            raise TargetError(
                f"nobody answers at {url}: {error}", "'nbdeploy reconcile' starts what should run"
            ) from error
        kind = response.headers.get("content-type", "")
        return response.status_code, dict(response.headers), response.json() if "json" in kind else response.text
