"""The exporter: it answers ``GET /NAME/metrics`` and ``GET /metrics`` (all endpoints) on a unix socket.

    python -P -m jupyter_deploy.targets.local.metrics.exporter RUNTIME HOME

One scrape reads the metrics of the releases' own processes, the documents of ``routed_endpoints``, and the drift
watch's files. It starts nothing: an idle release is reported without its metrics.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.monitoring.exposition import CONTENT_TYPE, Exposition
from jupyter_deploy.system.unix_http import UnixConnection

from . import FOLDER, SOCKET, STREAMS

_RELEASE_SECONDS = 3.0
_KEPT_SECONDS = 0.5
_AT_ONCE = 8
_LINE = 1_024


class Exporter:
    """Collects the metrics of a home's endpoints.

    Parameters
    ----------
    runtime, home
        The runtime directory, and the folder of all state.
    """

    def __init__(self, runtime: Path, home: Path) -> None:
        self._runtime, self._home = runtime, home
        self._pool = ThreadPoolExecutor(_AT_ONCE, "scrape")
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, bytes]] = {}

    def metrics(self, endpoint: str) -> bytes | None:
        """Return the exposition of an endpoint, of all for an empty name; None: there is no such endpoint.

        Scrapes at the same time share one collection.
        """
        with self._lock:
            made, text = self._kept.get(endpoint, (0.0, b""))
            if time.monotonic() - made < _KEPT_SECONDS:
                return text
            documents = list(self._documents(endpoint))
            if endpoint and not documents:
                self._kept.pop(endpoint, None)
                return None
            text = self._collect(documents)
            self._kept[endpoint] = (time.monotonic(), text)
            return text

    def _documents(self, endpoint: str) -> Iterator[dict[str, Any]]:
        for path in sorted((self._runtime / FOLDER).glob("*.json")):
            if not endpoint or path.stem == endpoint:
                with suppress(OSError, ValueError):
                    yield json.loads(path.read_bytes())

    def _collect(self, documents: list[dict[str, Any]]) -> bytes:
        exposition = Exposition()
        releases = [(document, release) for document in documents for release in document["releases"]]
        texts = self._pool.map(lambda pair: _scraped(pair[1]["socket"]), releases)
        up = []
        for document in documents:
            exposition.add_text(document["state"], {})
            with suppress(OSError):
                stream = self._runtime / STREAMS / f"{document['endpoint']}.prom"
                exposition.add_text(stream.read_text("utf-8"), {})
        for (document, release), text in zip(releases, texts, strict=True):
            labels = release["labels"]
            up.append((labels, float(text is not None)))
            exposition.add_text(text or "", labels)
            with suppress(OSError):
                file = self._home / "drift" / document["endpoint"] / f"{release['version']}.prom"
                exposition.add_text(file.read_text("utf-8"), labels)
        exposition.add("nbdeploy_release_up", "gauge", "Whether a release's process, or its socket, answers", up)
        return exposition.text().encode()


def _scraped(socket: str) -> str | None:
    """Return the metrics of a release's process; None: it does not answer."""
    connection = UnixConnection(socket, _RELEASE_SECONDS)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return text if response.status == 200 else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        name, _, page = self.path.partition("?")[0].lstrip("/").rpartition("/")
        text = self.server.exporter.metrics(name) if page == "metrics" and "/" not in name else None
        if text is None:
            body = json.dumps({"status": 404, "title": "Not Found", "detail": "there is no such endpoint"}).encode()
            self._answer(404, "application/problem+json", body)
        else:
            self._answer(200, CONTENT_TYPE, text)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        if request_id := self.headers.get("x-request-id"):
            self.send_header("x-request-id", request_id[:_LINE])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        return "gateway"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Log nothing: a scrape every few seconds would fill the log."""


class Server(socketserver.ThreadingUnixStreamServer):
    """Serves an exporter on a unix socket that only this user may use."""

    daemon_threads = True

    def __init__(self, path: Path, exporter: Exporter) -> None:
        self.exporter = exporter
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            super().__init__(str(path), _Handler)
        finally:
            os.umask(before)


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(description="Serve the metrics of a home's endpoints.")
    parser.add_argument("runtime", type=Path)
    parser.add_argument("home", type=Path)
    options = parser.parse_args()
    Server(options.runtime / SOCKET, Exporter(options.runtime, options.home)).serve_forever()


if __name__ == "__main__":
    main()
