"""The stream of server-sent events in a Jupyter server: one connection for each tab. Light."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from .handlers import NbdeployHandler
from .worker_client import WorkerAnswer, WorkerLost

MAX_STREAMS = 64
"""Open streams of one server; each tab has one."""

KEEP_ALIVE_SECONDS = 15.0
"""Seconds until a comment is sent, so that no proxy closes a quiet stream."""


class EventsHandler(NbdeployHandler):
    """``GET /nbdeploy/events``: the events after ``Last-Event-ID`` or ``?after=``, then new ones as they occur."""

    _track_activity = False  # an open tab must not keep an idle server from being culled
    _open = 0
    _next_part: asyncio.Future[bytes | WorkerAnswer | None] | None = None

    @web.authenticated
    @authorized
    async def get(self) -> None:
        given = self.request.headers.get("Last-Event-ID") or self.get_query_argument("after", "")
        if given and not (given.isascii() and given.isdigit() and len(given) <= 18):
            self.refuse(400, "invalid_event", "There is no such event", "the id of an event is a whole number",
                        "leave it out to start with the next event")  # fmt: skip
            return
        if EventsHandler._open >= MAX_STREAMS:
            self.refuse(503, "too_many_streams", "Too many streams are open", f"{MAX_STREAMS} streams are open",
                        "close a tab of JupyterLab")  # fmt: skip
            return
        EventsHandler._open += 1
        try:
            async with contextlib.aclosing(self.worker.listen(int(given) if given else None)) as parts:
                await self._send_parts(parts)
        except WorkerLost as error:
            self.refuse_lost(error, "try again: nbdeploy restarts the process")
        except StreamClosedError:
            pass  # the client has gone
        finally:
            EventsHandler._open -= 1

    async def _send_parts(self, parts: AsyncGenerator[bytes | WorkerAnswer]) -> None:
        """Send the parts of the stream; the first decides the status, so that an error is still a response."""
        while True:
            self._next_part = asyncio.ensure_future(anext(parts, None))
            pause = KEEP_ALIVE_SECONDS if self._headers_written else None
            while not (await asyncio.wait({self._next_part}, timeout=pause))[0]:
                await self._send(b": nothing new\n\n")
            part = None if self._next_part.cancelled() else self._next_part.result()
            if isinstance(part, WorkerAnswer):
                await self.forward(part)
            if not isinstance(part, bytes):
                return
            await self._send(part)

    async def _send(self, text: bytes) -> None:
        if not self._headers_written:
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("Cache-Control", "no-store")
            self.set_header("X-Accel-Buffering", "no")  # some proxies buffer a stream
        self.write(text)
        await self.flush()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._next_part is not None:
            self._next_part.cancel()
