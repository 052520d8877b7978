"""The probes of a gateway's pod: ``/livez`` is 200 while the agent runs, ``/readyz`` once the pod may get requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def serve_probes(port: int, not_ready: Callable[[], str]) -> ThreadingHTTPServer:
    """Answer the probes on a port; ``not_ready`` gives the reason why the pod is not ready, or an empty text."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # seconds: any pod may connect

        def do_GET(self) -> None:
            reason = not_ready() if self.path == "/readyz" else "" if self.path == "/livez" else "no such path"
            self.send_response(503 if reason else 200)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write((reason or "ok").encode())

        def log_message(self, *_: Any) -> None:
            """Log nothing: probes come every second."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server
