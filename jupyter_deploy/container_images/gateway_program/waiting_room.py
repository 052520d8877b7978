"""Requests to releases that have no pod wait here until there is one; the standard library alone.

Envoy sends a request to a release without a pod to a port of this program, one for each release. It is held until the
release has a pod, and then refused as a release that starts refuses it (``x-rollout-starting``): Envoy repeats it, and
finds the pod. A health check is answered at once: it wakes nobody. Nothing of a request is kept but that it waits.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

_HOST = "127.0.0.1"
_HEAD_BYTES, _HEAD_SECONDS = 64 * 1024, 10.0
_LAST_SECONDS = 1.0

_PROBE = re.compile(r"(GET|HEAD) (/livez|/readyz|/ping|/metrics|/v2/health/[a-z]+|/v2/models/[^ ?]+/ready)[ ?]")
"""The requests that say nothing about a release's use; see ``is_probe`` of ``serving/hosting/outer_app.py``."""

_IDLE = "idle, starts on a request"


@dataclass
class _Room:
    """The held requests of one release.

    Attributes
    ----------
    open
        Whether the release has a pod, so that nobody has to wait.
    """

    server: asyncio.Server
    waiting: set[asyncio.Future[str]] = field(default_factory=set)
    open: bool = False


class WaitingRooms:
    """The requests that wait, by Service.

    Parameters
    ----------
    seconds
        So long a request waits at most.
    arrived
        Called when the first request of a release begins to wait.
    """

    def __init__(self, seconds: float, arrived: Callable[[], None]) -> None:
        self._seconds, self._arrived = seconds, arrived
        self._rooms: dict[str, _Room] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="waiting rooms", daemon=True).start()

    def address(self, service: str) -> tuple[str, int]:
        """Host and port at which requests to a release without a pod wait."""
        return asyncio.run_coroutine_threadsafe(self._closed(service), self._loop).result()

    def waiting(self, service: str) -> bool:
        """Whether a request waits for this release."""
        room = self._rooms.get(service)
        return bool(room and room.waiting)

    def let_go(self, service: str) -> None:
        """The release has a pod: all its requests are repeated, and those that still come."""
        self._loop.call_soon_threadsafe(self._end, service, "")

    def refuse(self, service: str, reason: str) -> None:
        """The release will have no pod: its requests get 503 with the reason."""
        self._loop.call_soon_threadsafe(self._end, service, reason)

    def keep(self, services: set[str]) -> None:
        """End the rooms of all other releases."""
        for service in self._rooms.keys() - services:
            self._loop.call_soon_threadsafe(self._remove, service)

    async def _closed(self, service: str) -> tuple[str, int]:
        room = self._rooms.get(service)
        if room is None:

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._serve(service, reader, writer)

            room = _Room(await asyncio.start_server(serve, _HOST, 0, limit=_HEAD_BYTES))
            self._rooms[service] = room
        room.open = False
        return _HOST, int(room.server.sockets[0].getsockname()[1])

    def _end(self, service: str, reason: str) -> None:
        if room := self._rooms.get(service):
            room.open = not reason
            for one in room.waiting:
                if not one.done():
                    one.set_result(reason)

    def _remove(self, service: str) -> None:
        self._end(service, "")
        if room := self._rooms.pop(service, None):
            room.server.close()

    async def _serve(self, service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                if probe := _PROBE.match(head.decode("latin-1")):
                    answer = _response(200, {"detail": _IDLE})
                    answer = answer if probe[1] == "GET" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                else:
                    answer = await self._held(service, reader)
                writer.write(answer)
                writer.write_eof()
                async with asyncio.timeout(_LAST_SECONDS):  # unread bytes would reset the connection
                    await _discard(reader)
            finally:
                writer.close()

    async def _held(self, service: str, reader: asyncio.StreamReader) -> bytes:
        """Hold a request; the answer, empty if its client has gone."""
        room = self._rooms.get(service)
        if room is None or room.open:
            return _again()
        waits: asyncio.Future[str] = self._loop.create_future()
        first = not room.waiting
        room.waiting.add(waits)
        # The body is read, so that Envoy has all of the request and can repeat it.
        gone = asyncio.ensure_future(_discard(reader))
        if first:
            self._arrived()
        try:
            either: set[asyncio.Future[Any]] = {waits, gone}
            await asyncio.wait(either, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.waiting.discard(waits)
            gone.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await gone
        if not waits.done():
            left = gone.done() and not gone.cancelled()
            return b"" if left else _refusal(f"it is not ready after {self._seconds:g} s")
        return _refusal(waits.result()) if waits.result() else _again()


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(_HEAD_BYTES):
        pass


def _again() -> bytes:
    return _response(503, {"detail": "the release starts"}, "x-rollout-starting: 1")


def _refusal(reason: str) -> bytes:
    return _response(503, {"detail": f"the release was idle and does not start: {reason}"}, "retry-after: 1")


def _response(status: int, content: dict[str, str], *headers: str) -> bytes:
    problem = {"type": "about:blank", "title": "The release cannot be reached", "status": status, **content}
    body = json.dumps(content if status == HTTPStatus.OK else problem).encode()
    form = "application/json" if status == HTTPStatus.OK else "application/problem+json"
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    lines = [first, f"content-type: {form}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("ascii") + body
