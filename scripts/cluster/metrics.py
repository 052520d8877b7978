"""Serve ``metrics.k8s.io/v1beta1`` of the kubelets' figures: ``python3 -m scripts.cluster.metrics HOST PORT API PKI``.

What metrics-server serves, as far as autoscalers and ``kubectl top`` need it: processor time between two looks, since
the kubelet's own rate is up to ten seconds old. The standard library alone is used.
"""

from __future__ import annotations

import http.client
import http.server
import json
import ssl
import sys
import time
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

VERSION = "metrics.k8s.io/v1beta1"
KINDS = {"nodes": "NodeMetrics", "pods": "PodMetrics"}

Json = dict[str, Any]
Point = tuple[float, int]
"""A time in seconds, and the nanoseconds of processor time until then."""

_LEAST_SECONDS = 0.8


class _Rate(NamedTuple):
    """Nanoseconds of processor time a second, and the seconds between the looks."""

    cpu: int
    seconds: float


class Kubelets:
    """The figures of all nodes, read through the API server at ``api`` with the certificates in ``pki``."""

    def __init__(self, api: str, pki: Path) -> None:
        self._api = urllib.parse.urlsplit(api).netloc
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._points: dict[tuple[str, str], tuple[Point, Point]] = {}

    def nodes(self) -> list[Json]:
        """One ``NodeMetrics`` a node."""
        return [_metrics(node, None, usage=_usage(summary["node"])) for node, summary in self._summaries()]

    def pods(self, namespace: str | None, selector: str | None) -> list[Json]:
        """One ``PodMetrics`` a pod whose containers all have figures."""
        path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        if selector:
            path += f"?labelSelector={urllib.parse.quote(selector)}"
        wanted = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in self._get(path)["items"]}
        found = []
        for _, summary in self._summaries():
            for figures in summary.get("pods", []):
                pod = wanted.get((figures["podRef"]["namespace"], figures["podRef"]["name"]))
                containers = figures.get("containers", [])
                rates = [self._rate(figures["podRef"]["uid"], container) for container in containers]
                if pod and None not in rates:
                    usage = [
                        {"name": container["name"], "usage": _usage(container) | {"cpu": f"{rate.cpu}n"}}
                        for container, rate in zip(containers, filter(None, rates), strict=True)
                    ]
                    window = f"{max((rate.seconds for rate in rates if rate), default=_LEAST_SECONDS):.1f}s"
                    found.append(_metrics(pod, pod["metadata"]["namespace"], containers=usage, window=window))
        return found

    def _rate(self, pod: str, container: Json) -> _Rate | None:
        """The use between the last two looks; None: there is one look only."""
        key, cpu = (pod, container["name"]), container.get("cpu", {})
        if "usageCoreNanoSeconds" not in cpu:
            return None
        point = (time.monotonic(), int(cpu["usageCoreNanoSeconds"]))  # the kubelet's own time is in whole seconds
        first, last = self._points.get(key, (point, point))
        if point[0] - last[0] >= _LEAST_SECONDS:
            first, last = last, point
        self._points[key] = first, last
        passed = last[0] - first[0]
        return _Rate(max(0, int((last[1] - first[1]) / passed)), passed) if passed > 0 else None

    def _summaries(self) -> Iterator[tuple[Json, Json]]:
        for node in self._get("/api/v1/nodes")["items"]:
            try:
                yield node, self._get(f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary")
            except OSError:  # the node is away
                continue

    def _get(self, path: str) -> Json:
        connection = http.client.HTTPSConnection(self._api, timeout=5, context=self._context)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            document: Json = json.load(answer)
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"{path}: {answer.status}")
        return document


def _usage(figures: Json) -> Json:
    return {
        "cpu": f"{figures.get('cpu', {}).get('usageNanoCores', 0)}n",
        "memory": f"{figures.get('memory', {}).get('workingSetBytes', 0) // 1024}Ki",
    }


def _metrics(of: Json, namespace: str | None, **figures: Any) -> Json:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"name": of["metadata"]["name"], "creationTimestamp": now}
    if namespace:
        metadata |= {"namespace": namespace, "labels": of["metadata"].get("labels", {})}
    kind = "PodMetrics" if namespace else "NodeMetrics"
    return {"kind": kind, "apiVersion": VERSION, "metadata": metadata, "timestamp": now, "window": "10s", **figures}


def respond(kubelets: Kubelets, path: str) -> tuple[HTTPStatus, Json]:
    """Status and document for a path below ``/apis``."""
    split = urllib.parse.urlsplit(path)
    parts = split.path.strip("/").split("/")
    selector = urllib.parse.parse_qs(split.query).get("labelSelector", [None])[0]
    if parts[:2] != ["apis", "metrics.k8s.io"]:
        return HTTPStatus.NOT_FOUND, _failure(HTTPStatus.NOT_FOUND, "no such group")
    if len(parts) == 3:
        resources = [
            {"name": name, "singularName": "", "namespaced": name == "pods", "kind": kind, "verbs": ["get", "list"]}
            for name, kind in KINDS.items()
        ]
        return HTTPStatus.OK, {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": VERSION,
            "resources": resources,
        }
    namespace = parts[4] if parts[3] == "namespaces" else None
    resource, *name = parts[5:] if namespace else parts[3:]
    items = kubelets.nodes() if resource == "nodes" else kubelets.pods(namespace, selector)
    if not name:
        return HTTPStatus.OK, {"kind": f"{KINDS[resource]}List", "apiVersion": VERSION, "metadata": {}, "items": items}
    named = [item for item in items if item["metadata"]["name"] == name[0]]
    if named:
        return HTTPStatus.OK, named[0]
    return HTTPStatus.NOT_FOUND, _failure(HTTPStatus.NOT_FOUND, "no figures yet")


def _failure(status: HTTPStatus, message: str) -> Json:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status.value}


def main() -> None:
    """Serve until the process ends."""
    host, port, api, pki = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    kubelets = Kubelets(api, pki)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                status, document = respond(kubelets, self.path)
            except (OSError, KeyError, ValueError) as error:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                document = _failure(status, repr(error))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((host, port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "metrics.crt", pki / "metrics.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
