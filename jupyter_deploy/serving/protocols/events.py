"""An answer that comes piece by piece, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

from ..asgi.messages import Answer, Headers, Receive, Send
from .request import EVENTS

_HEADERS = [(b"content-type", f"{EVENTS}; charset=utf-8".encode("ascii")), (b"cache-control", b"no-store")]


class Events:
    """From the thread in which a function yields to the client.

    Each item is an event with its JSON as ``data``; the last event is named ``end`` and counts them, or ``error`` and
    holds the problem document. The function is never held up by a client that reads slowly.

    Attributes
    ----------
    gone
        The client has left.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.gone = False

    def put(self, item: Any) -> None:
        """Send one item."""
        text = json.dumps(item, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        self._tell(f"data: {text}\n\n".encode())

    def end(self, items: int) -> None:
        """There are no more."""
        self._tell(f'event: end\ndata: {{"items":{items}}}\n\n'.encode())
        self._tell(None)

    def fail(self, refused: Answer) -> None:
        """There are no more, and why."""
        self._tell(b"event: error\ndata: " + refused.body + b"\n\n")
        self._tell(None)

    def _tell(self, event: bytes | None) -> None:
        self._loop.call_soon_threadsafe(self._waiting.put_nowait, event)

    async def begun(self, work: Awaitable[Answer | None]) -> Answer | Events:
        """Itself once there is a first event; before that the work may end with an answer of the usual kind."""
        ended = asyncio.ensure_future(work)
        first = asyncio.ensure_future(self._waiting.get())
        try:
            await asyncio.wait((ended, first), return_when=asyncio.FIRST_COMPLETED)
            if not first.done() and (whole := ended.result()) is not None:
                return whole
            self._first = await first
        finally:
            first.cancel()
        return self

    async def through(self, send: Send, stamps: Headers = ()) -> None:
        """All events, as they come."""
        leaving = asyncio.ensure_future(self._left())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *stamps]})
            event = self._first
            while event is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                event = await self._waiting.get()
            await send({"type": "http.response.body", "body": b""})
        except OSError:  # what servers raise when the client has closed the connection
            pass
        finally:
            self.gone = True
            leaving.cancel()

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
