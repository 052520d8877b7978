"""The stream in a Jupyter server: server-sent events, one connection a tab. Light."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from .handlers import NbdeployHandler
from .worker_client import Answered, AskedGone

AT_ONCE = 64
"""Streams a server has at most: a tab has one."""

ALIVE_EVERY = 15.0
"""Seconds after which a comment is sent, so that no proxy takes a quiet stream for a dead one."""


class EventsHandler(NbdeployHandler):
    """``GET /nbdeploy/events``: what has happened after ``Last-Event-ID`` or ``?after=``, and goes on to happen."""

    _track_activity = False  # a tab that is left open is no work that keeps a server from being culled
    _open = 0
    _coming: asyncio.Future[bytes | Answered | None] | None = None

    @web.authenticated
    @authorized
    async def get(self) -> None:
        given = self.request.headers.get("Last-Event-ID") or self.get_query_argument("after", "")
        if given and not (given.isascii() and given.isdigit() and len(given) <= 18):
            self.refuse(400, "invalid_event", "There is no such event", "the id of an event is a whole number",
                        "leave it out to begin with what happens next")  # fmt: skip
            return
        if EventsHandler._open >= AT_ONCE:
            self.refuse(503, "too_many_streams", "Too many listen", f"{AT_ONCE} streams are open",
                        "close tabs that are not needed")  # fmt: skip
            return
        EventsHandler._open += 1
        try:
            async with contextlib.aclosing(self.asking.listen(int(given) if given else None)) as parts:
                await self._pass_on(parts)
        except AskedGone as error:
            self.refuse(500, "asked_gone", "No answer came", str(error), "try again: it is started anew")
        except StreamClosedError:
            pass  # the client has gone
        finally:
            EventsHandler._open -= 1

    async def _pass_on(self, parts: AsyncGenerator[bytes | Answered]) -> None:
        """The first part comes at once, so that what cannot be is still said by a status."""
        while True:
            self._coming = asyncio.ensure_future(anext(parts, None))
            pause = ALIVE_EVERY if self._headers_written else None
            while not (await asyncio.wait({self._coming}, timeout=pause))[0]:
                await self._send(b": nothing new\n\n")
            part = None if self._coming.cancelled() else self._coming.result()
            if isinstance(part, Answered):
                await self.pass_on(part)
            if not isinstance(part, bytes):
                return
            await self._send(part)

    async def _send(self, text: bytes) -> None:
        if not self._headers_written:
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("Cache-Control", "no-store")
            self.set_header("X-Accel-Buffering", "no")  # some proxies keep a stream until it is long enough
        self.write(text)
        await self.flush()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._coming is not None:
            self._coming.cancel()
