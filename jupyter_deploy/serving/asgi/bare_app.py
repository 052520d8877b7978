"""The application behind ``Front`` where BentoML is not installed: the paths that BentoML answers in a release."""

from __future__ import annotations

from ..telemetry import metrics
from .messages import Receive, Response, Scope, Send

_ALIVE = ("/livez", "/readyz", "/healthz")


async def bare_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the paths of health, and those of several workers' metrics; all others are unknown."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        if scope["path"].endswith(_ALIVE):
            answer = Response(200, b"{}")
        elif scope["path"].endswith("/metrics"):
            text, content_type = metrics.exposition_of_workers()
            answer = Response(200, text, content_type)
        else:
            answer = Response(404, b"{}")
        await answer.send_to(send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
