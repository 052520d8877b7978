"""The outermost application of a container: it starts with the example, and lets no client speak as a gateway does.

    client -> Contained -> Front -> …

When it starts up it asks what it wraps the snapshot's example, as a client would. Only if that is answered as in the
notebook does it say that it has started.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from ..agreement import faults
from ..asgi.messages import App, Asked, Message, Receive, Scope, Send
from ..snapshot import current
from ..telemetry.recording import EVERYTHING, Recording
from .options import Hosting
from .startup_responder import State

_READY = ("/readyz", "/ping", "/v2/health/ready")
_FAULTS = 3


class Contained:
    """Wraps the bento's application.

    Parameters
    ----------
    proved
        Called when the example was answered, before anybody is let in.

    Attributes
    ----------
    failed
        Why it has not started; empty: it has, or was not told to.
    """

    def __init__(self, app: App, hosting: Hosting, state: State, proved: Callable[[], None] = lambda: None) -> None:
        self._app, self._state, self._proved = app, state, proved
        self._routes = hosting.routes
        self._gateway = hosting.uds is not None
        kept = hosting.recording
        self._said = [] if kept == EVERYTHING else [(b"x-rollout-record", kept.header.encode("latin-1"))]
        self.failed = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._proving(send))
            return
        if scope["type"] == "http":
            path = scope["path"]
            if path in self._routes:
                own = self._routes[path]
                path, scope = own, {**scope, "path": own, "raw_path": own.encode("ascii")}
            if self._state.ending and _asks_readiness(path):
                await self._state.not_ready.answer(Asked.by(scope).request_id).through(send)
                return
            if not self._gateway:
                scope = {**scope, "headers": [*(pair for pair in scope["headers"] if _own(pair[0])), *self._said]}
            await self._to_the_end(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _to_the_end(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ``app`` does; who is not waited for any more is told so."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if started or not self._state.ending:
                raise
            await self._state.not_ready.answer(Asked.by(scope).request_id).through(send)

    def _proving(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.failed = await self._fault()
                if self.failed:
                    self._state.reason = self.failed
                    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it knows no reason, but a traceback
                    message = {"type": "lifespan.startup.failed", "message": ""}
                else:
                    self._proved()
            await send(message)

        return sending

    async def _fault(self) -> str:
        """Why it is not to be started; empty: it is."""
        model = current()
        if model is None:
            return "service.py has loaded no model"
        self._state.reason = "the model is being asked the notebook's example"
        status, said = await self._asked({"instances": model.manifest["instances"]})
        if status != 200:
            return f"{model.tag} answers its example with {status}: {said[:500].decode('utf-8', 'replace')}"
        found = faults(model.manifest, json.loads(said).get("predictions", []))
        if not found:
            return ""
        return f"{model.tag} does not answer its example as the notebook did: {'; '.join(found[:_FAULTS])}"

    async def _asked(self, question: dict[str, Any]) -> tuple[int, bytes]:
        body = json.dumps(question).encode("ascii")
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-rollout-role", b"probe"),
            (b"x-rollout-record", Recording("off").header.encode("ascii")),
        ]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/predict", "raw_path": b"/predict", "root_path": "", "query_string": b"", "headers": headers,
            "client": None, "server": None,
        }  # fmt: skip
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        answered: list[Message] = []

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await asyncio.get_running_loop().create_future()  # who asks stays until there is an answer
            raise AssertionError

        async def send(message: Message) -> None:
            answered.append(message)

        await self._app(scope, receive, send)
        return answered[0]["status"], b"".join(message.get("body", b"") for message in answered[1:])


def _asks_readiness(path: str) -> bool:
    return path in _READY or (path.startswith("/v2/models/") and path.endswith("/ready"))


def _own(name: bytes) -> bool:
    """Whether a header may be the client's: what a gateway says, nobody says in its place."""
    return not name.startswith(b"x-rollout-") and name != b"x-pair-id"
