"""The exporter: it answers ``GET /metrics`` with the metrics of all endpoints of its namespace.

    python -P -m jupyter_deploy.targets.kubernetes.metrics.exporter

::

    Prometheus ── /metrics ──▶ exporter ── /metrics ──▶ each pod of each release
                                  ├── ConfigMaps: revisions; EndpointSlices: pods ──▶ API
                                  └── files of the drift watcher, in the same pod (``faces/drift_watcher.py``)

The names and labels are those of ``targets/local/metrics``, with the label ``pod`` besides. It starts nothing, and has
no key: an idle release is reported without its metrics.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.monitoring.endpoint_metrics import endpoint_metrics, labels_of
from jupyter_deploy.domain.monitoring.exposition import CONTENT_TYPE, Exposition
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.api import Api, Json
from jupyter_deploy.targets.kubernetes.endpoint_maps import EndpointMaps
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings

PORT = 8790
_POD_SECONDS = 3.0
_KEPT_SECONDS = 0.5
_AT_ONCE = 16


class _Pod(NamedTuple):
    name: str
    host: str
    port: int
    ready: bool


class Exporter:
    """Collects the metrics of a namespace's endpoints.

    Parameters
    ----------
    home
        The folder of the drift watcher.
    """

    def __init__(self, api: Api, home: Path) -> None:
        self._api = api
        self._home = home
        self._maps = EndpointMaps(lambda: api, "kubernetes")
        self._threads = ThreadPoolExecutor(_AT_ONCE, "scrape")
        self._lock = threading.Lock()
        self._kept = (0.0, b"")

    def metrics(self) -> bytes:
        """Return the exposition; scrapes at the same time share one collection. Raises DeployError: the API is away."""
        with self._lock:
            if time.monotonic() - self._kept[0] >= _KEPT_SECONDS:
                newest = [history[0].state for history in self._maps.histories().values()]
                running = [one for one in newest if one.running]
                text = self._collected(running, pods_of(self._api.list_("EndpointSlice")))
                self._kept = (time.monotonic(), text)
            return self._kept[1]

    def _collected(self, endpoints: Iterable[Endpoint], pods: Mapping[str, list[_Pod]]) -> bytes:
        exposition = Exposition()
        up, ready, asked = [], [], []
        for endpoint in endpoints:
            exposition.add_text(endpoint_metrics(endpoint), {})
            for tag in endpoint.traffic.tags():
                found = pods.get(names.release_name(endpoint.name, tag), [])
                labels = labels_of(endpoint, tag)
                count = sum(pod.ready for pod in found)
                idles = endpoint.release(tag).resources.idles
                up.append((labels, float(bool(count) or (idles and not found))))
                ready.append((labels, float(count)))
                asked += [(labels | {"pod": pod.name}, pod) for pod in found]
                with suppress(OSError):
                    file = self._home / "drift" / endpoint.name / f"{endpoint.release(tag).version}.prom"
                    exposition.add_text(file.read_text("utf-8"), labels)
        texts = self._threads.map(lambda pair: _scraped(pair[1]), asked)
        for (labels, _), text in zip(asked, texts, strict=True):
            exposition.add_text(text, labels)
        exposition.add("nbdeploy_release_up", "gauge", "Whether a pod of a release is ready, or it is idle", up)
        exposition.add("nbdeploy_release_pods", "gauge", "Pods of a release that are ready", ready)
        return exposition.text().encode()


def pods_of(slices: Iterable[Json]) -> dict[str, list[_Pod]]:
    """The pods of each Service, without those that end."""
    found: dict[str, list[_Pod]] = {}
    for one in slices:
        service = (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
        port = next((int(each["port"]) for each in one.get("ports") or () if each.get("name") == "http"), 0)
        for address in one.get("endpoints") or () if port else ():
            conditions = address.get("conditions") or {}
            if conditions.get("terminating"):
                continue
            host = str(address["addresses"][0])
            name = str((address.get("targetRef") or {}).get("name", host))
            found.setdefault(service, []).append(_Pod(name, host, port, conditions.get("ready") is not False))
    return found


def _scraped(pod: _Pod) -> str:
    """The metrics of a pod; empty: it does not answer."""
    connection = http.client.HTTPConnection(pod.host, pod.port, timeout=_POD_SECONDS)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
    return text if response.status == http.HTTPStatus.OK else ""


def serve(exporter: Exporter, port: int) -> ThreadingHTTPServer:
    """Return a server that answers ``/metrics`` and ``/livez``."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/livez":
                self._answer(200, "text/plain", b"ok")
            elif path == "/metrics":
                try:
                    self._answer(200, CONTENT_TYPE, exporter.metrics())
                except DeployError as error:
                    self._refuse(503, "Service Unavailable", error.message)
            else:
                self._refuse(404, "Not Found", "there are /metrics and /livez")

        def _refuse(self, status: int, title: str, detail: str) -> None:
            body = json.dumps({"status": status, "title": title, "detail": detail}).encode()
            self._answer(status, "application/problem+json", body)

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing: a scrape every few seconds would fill the log."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    return server


def main() -> None:
    """Serve until a signal ends the process."""
    namespace = os.environ["NBDEPLOY_NAMESPACE"]
    home = Path(os.environ["NBDEPLOY_HOME"])
    serve(Exporter(Api(ClusterSettings(namespace=namespace)), home), PORT).serve_forever()


if __name__ == "__main__":
    main()
