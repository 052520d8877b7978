"""The table of paths: protocol adapters, and the read-only pages of the protocols."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..snapshot import Model
from .columnar import Columnar
from .invocations import Invocations
from .plain import V1, Predict
from .protocol import ProtocolAdapter, with_error
from .tables import Rows
from .v2 import V2

LIVE, READY, PING = "/v2/health/live", "/v2/health/ready", "/ping"

_FAMILIES = ("/v1/", "/v2/")


def health(path: str, *, loaded: bool) -> Response | None:
    """Return a protocol's health page; None for another path."""
    match path:
        case "/v2/health/live":
            return Response(200, b'{"live":true}')
        case "/v2/health/ready":
            return Response(200 if loaded else 503, b'{"ready":true}' if loaded else b'{"ready":false}')
        case "/ping":
            return Response(200 if loaded else 503, b"\n", "text/plain")
        case _:
            return None


class Protocols:
    """All protocols of one model.

    Parameters
    ----------
    endpoint
        The model's name in paths; the snapshot's own name is accepted too.

    Attributes
    ----------
    v2
        The Open Inference Protocol.
    """

    def __init__(self, model: Model, endpoint: str) -> None:
        signature = model.manifest["signature"]
        own, _, version = model.tag.rpartition(":")
        self._name = endpoint
        self._version = version
        decoder = model.decoder
        keys = {lookup["key"]: lookup["key_schema"] for lookup in model.manifest.get("lookups", ())}
        rows = Rows(signature["instance_schema"], keys)
        columnar = Columnar(decoder, signature["container"], rows)
        v1, self.v2 = V1(decoder), V2(decoder, signature, model.codec.prototype, endpoint, version, keys=keys)
        self._adapters: dict[str, ProtocolAdapter] = {
            "/predict": Predict(decoder, columnar),
            "/invocations": Invocations(decoder, columnar, rows),
        }
        server = {"name": "nbdeploy", "version": model.tag, "extensions": ["binary_tensor_data"]}
        self._pages: dict[str, Any] = {
            "/v1/models": {"models": [endpoint]},
            "/v2": server,
        }
        for name in {endpoint, own}:
            self._adapters[f"/v1/models/{name}:predict"] = v1
            self._pages[f"/v1/models/{name}"] = {"name": name, "ready": True}
            for place in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}"):
                self._adapters[f"{place}/infer"] = self.v2
                self._pages[place] = self.v2.metadata(model.manifest["kind"])
                self._pages[f"{place}/ready"] = {"name": name, "ready": True}

    def adapter_at(self, path: str) -> ProtocolAdapter | None:
        """Return the adapter of a path; None if the path does not call the model."""
        return self._adapters.get(path)

    def page(self, path: str) -> Response | None:
        """Return the page at a path; None if there is none."""
        page = self._pages.get(path)
        return None if page is None else Response(200, json.dumps(page, separators=(",", ":")).encode("utf-8"))

    def unknown(self, path: str, request_id: str) -> Response | None:
        """Return a problem 404 for an unknown path of a protocol; None if the path belongs to no protocol."""
        if not path.startswith(_FAMILIES):
            return None
        _, family, models, name, *_ = [*path.split("/"), "", ""]
        name = name.partition(":")[0] if family == "v1" else name
        if models == "models" and name and f"/{family}/models/{name}" not in self._pages:
            detail = (
                f"there is no model {name[:80]!r} here: this is {self._name!r}, at /{family}/models/{quote(self._name)}"
            )
        elif "/versions/" in path and family == "v2":
            detail = (
                f"there is another version here: {self._version!r}, at /v2/models/{self._name}/versions/{self._version}"
            )
        else:
            detail = "there is nothing at this path; GET /openapi.json describes the service"
        return with_error(Problem(404, detail), request_id)
