"""The outermost application of a container: proves the example at startup and drops headers of a gateway.

    client -> ContainerApp -> Front -> …

At startup it sends the snapshot's example to the wrapped application, as a client would. The startup completes only if
the answers agree with the notebook's.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

from ..agreement import DIFFERS, faults
from ..asgi.messages import App, Message, Receive, RequestContext, Scope, Send
from ..asgi.problems import Problem
from ..snapshot import current
from ..telemetry.recording import EVERYTHING, Recording
from .options import HostingOptions
from .pool_link import PoolLink
from .startup_responder import ALIVE, Readiness

_READY = ("/readyz", "/ping", "/v2/health/ready")
_MAX_SHOWN = 3
_KEY_HEADER = b"x-rollout-key"
_NO_KEY = Problem(403, "this release answers only to nbdeploy's gateway; call the endpoint's URL")


class ContainerApp:
    """Wraps the bento's application.

    Parameters
    ----------
    on_ready
        Called after the example was answered, before any client is accepted.
    pool
        The link to the parent of several workers.

    Attributes
    ----------
    failed
        The reason of a failed startup; empty: no failure so far.
    """

    def __init__(
        self,
        app: App,
        options: HostingOptions,
        readiness: Readiness,
        on_ready: Callable[[], None] = lambda: None,
        pool: PoolLink | None = None,
    ) -> None:
        self._app, self._readiness, self._on_ready = app, readiness, on_ready
        self.pool = pool
        self._routes = options.routes
        self._gateway = options.uds is not None
        self._key = options.gateway_key.encode("ascii")
        recording = options.recording
        self._record_headers = (
            [] if recording == EVERYTHING else [(b"x-rollout-record", recording.header.encode("latin-1"))]
        )
        self.failed = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._check_on_startup(send))
            return
        if scope["type"] == "http":
            path = scope["path"]
            if path in self._routes:
                own = self._routes[path]
                path, scope = own, {**scope, "path": own, "raw_path": own.encode("ascii")}
            if self._readiness.stopping and _is_readiness_path(path):
                await self._readiness.not_ready.response(RequestContext.from_scope(scope).request_id).send_to(send)
                return
            if self._key and _has_key(scope["headers"], self._key):
                scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != _KEY_HEADER]}
            elif not self._gateway:
                if self._key and not is_probe(path):
                    # A client must not evade the gateway, which asks for a token and writes the ledger.
                    await _NO_KEY.response(RequestContext.from_scope(scope).request_id).send_to(send)
                    return
                scope = {
                    **scope,
                    "headers": [
                        *(pair for pair in scope["headers"] if _is_client_header(pair[0])),
                        *self._record_headers,
                    ],
                }
            if self.pool is None:
                await self._forward(scope, receive, send)
            else:
                await self._count(self.pool, scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _count(self, pool: PoolLink, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it in the worker's load."""
        if is_probe(scope["path"]):
            await self._forward(scope, receive, send)
            return
        pool.slot.begin()
        try:
            await self._forward(scope, receive, send)
        finally:
            pool.slot.end()

    @property
    def _closing(self) -> bool:
        """Whether each connection is closed after its response: another process shall get the next request."""
        return self._readiness.stopping or (self.pool is not None and self.pool.closing)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the wrapped application; if the server cancels it at shutdown, answer 503."""
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start" and self._closing:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except asyncio.CancelledError:
            if started or not self._readiness.stopping:
                raise
            await self._readiness.not_ready.response(RequestContext.from_scope(scope).request_id).send_to(send)

    def _check_on_startup(self, send: Send) -> Send:
        async def send_on(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.failed = await self._example_fault()
                if self.failed:
                    self._readiness.reason = self.failed
                    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # uvicorn logs a traceback only
                    message = {"type": "lifespan.startup.failed", "message": ""}
                else:
                    self._on_ready()
            await send(message)

        return send_on

    async def _example_fault(self) -> str:
        """Return the reason why the container must not start; empty if the example is answered as in the notebook."""
        model = current()
        if model is None:
            return "service.py has loaded no model"
        self._readiness.reason = "the model is answering the notebook's example"
        status, body = await self._post({"instances": model.manifest["instances"]})
        if status != 200:
            return f"{model.tag} answers its example with {status}: {body[:500].decode('utf-8', 'replace')}"
        lines = faults(model.manifest, json.loads(body).get("predictions", []))
        if not lines:
            return ""
        return f"{model.tag} {DIFFERS}: {'; '.join(lines[:_MAX_SHOWN])}"

    async def _post(self, document: dict[str, Any]) -> tuple[int, bytes]:
        content = json.dumps(document).encode("ascii")
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"x-rollout-role", b"probe"),
            (b"x-rollout-record", Recording("off").header.encode("ascii")),
        ]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/predict", "raw_path": b"/predict", "root_path": "", "query_string": b"", "headers": headers,
            "client": None, "server": None,
        }  # fmt: skip
        messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await asyncio.get_running_loop().create_future()  # the client stays connected until the response
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def is_probe(path: str) -> bool:
    """Whether a request for a path says nothing about the release's use: health checks and metrics."""
    return path in ALIVE or path == "/metrics" or _is_readiness_path(path)


def _is_readiness_path(path: str) -> bool:
    return path in _READY or (path.startswith("/v2/models/") and path.endswith("/ready"))


def _has_key(headers: list[tuple[bytes, bytes]], key: bytes) -> bool:
    """Return whether a request carries the gateway's key, once."""
    sent = [value for name, value in headers if name == _KEY_HEADER]
    return len(sent) == 1 and hmac.compare_digest(sent[0], key)


def _is_client_header(name: bytes) -> bool:
    """Return whether a client may set the header: ``x-rollout-…`` and ``x-pair-id`` are the gateway's."""
    return not name.startswith(b"x-rollout-") and name != b"x-pair-id"
