"""The revisions in force, as files of the runtime directory: for the gateway's next routes, and for the exporter."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from jupyter_deploy.domain.monitoring.endpoint_metrics import endpoint_metrics, labels_of
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.system.home import write_atomic

from .metrics import FOLDER
from .naming import socket_of
from .runtime import Runtime


class RoutedEndpoints:
    """The routed endpoints of a runtime directory. A caller that changes anything holds the ``state`` lock."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def all(self) -> dict[str, Endpoint]:
        """The endpoints in force."""
        endpoints = {}
        for path in sorted((self._runtime.path / "routes").glob("*.json")):
            # A file of another version of nbdeploy is skipped: its endpoint returns with its next route.
            with suppress(ValidationError, OSError):
                endpoint = Endpoint.model_validate_json(path.read_bytes())
                endpoints[endpoint.name] = endpoint
        return endpoints

    def put(self, endpoint: Endpoint) -> None:
        """Write the revision that is about to be in force."""
        write_atomic(self._file("routes", endpoint.name), endpoint.model_dump_json())
        if endpoint.running:
            write_atomic(self._file(FOLDER, endpoint.name), json.dumps(self._to_export(endpoint)))
        else:
            self._file(FOLDER, endpoint.name).unlink(missing_ok=True)

    def put_back(self, name: str, endpoint: Endpoint | None) -> None:
        """Write the former revision; None: there was none."""
        if endpoint is None:
            self._file("routes", name).unlink(missing_ok=True)
            self._file(FOLDER, name).unlink(missing_ok=True)
        else:
            self.put(endpoint)

    def _to_export(self, endpoint: Endpoint) -> dict[str, object]:
        releases = [
            {
                "version": endpoint.release(tag).version,
                "socket": socket_of(self._runtime, endpoint.release(tag)),
                "labels": labels_of(endpoint, tag),
            }
            for tag in endpoint.traffic.tags()
        ]
        return {"endpoint": endpoint.name, "releases": releases, "state": endpoint_metrics(endpoint)}

    def _file(self, folder: str, name: str) -> Path:
        return self._runtime.path / folder / f"{name}.json"
