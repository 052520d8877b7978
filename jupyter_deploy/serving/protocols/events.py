"""Responses as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

from ..asgi.messages import Headers, Receive, Response, Send
from .request import EVENTS

_HEADERS = [(b"content-type", f"{EVENTS}; charset=utf-8".encode("ascii")), (b"cache-control", b"no-store")]


class Events:
    """Sends items from the thread in which a function yields them to the client.

    Each item is an event with its JSON as ``data``. The last event is named ``end`` and has the number of items, or
    ``error`` and has the problem document. A slow client never delays the function.

    Attributes
    ----------
    disconnected
        Whether the client has disconnected.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.disconnected = False

    def put(self, item: Any) -> None:
        """Send an item."""
        text = json.dumps(item, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        self._enqueue(f"data: {text}\n\n".encode())

    def end(self, items: int) -> None:
        """Send the last event."""
        self._enqueue(f'event: end\ndata: {{"items":{items}}}\n\n'.encode())
        self._enqueue(None)

    def fail(self, problem: Response) -> None:
        """Send the problem as the last event."""
        self._enqueue(b"event: error\ndata: " + problem.body + b"\n\n")
        self._enqueue(None)

    def _enqueue(self, event: bytes | None) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def start(self, work: Awaitable[Response | None]) -> Response | Events:
        """Return this object after the first event, or the response if the work ends without an event."""
        ended = asyncio.ensure_future(work)
        first = asyncio.ensure_future(self._events.get())
        try:
            await asyncio.wait((ended, first), return_when=asyncio.FIRST_COMPLETED)
            if not first.done() and (whole := ended.result()) is not None:
                return whole
            self._first = await first
        finally:
            first.cancel()
        return self

    async def send_to(self, send: Send, stamps: Headers = ()) -> None:
        """Send all events as they arrive."""
        watch = asyncio.ensure_future(self._watch_disconnect())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *stamps]})
            event = self._first
            while event is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                event = await self._events.get()
            await send({"type": "http.response.body", "body": b""})
        except OSError:  # raised by servers after a disconnect
            pass
        finally:
            self.disconnected = True
            watch.cancel()

    async def _watch_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.disconnected = True
