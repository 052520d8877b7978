"""The server's client of the worker process: the first request starts it, and the next one after its end. Light."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from .frames import pack

MAX_BACKLOG = 256
"""Parts that wait for a stream's client. A stream with more ends, and its client reconnects for the rest."""


class WorkerLost(Exception):
    """The worker ended before it answered."""


@dataclass(frozen=True)
class WorkerAnswer:
    """Like ``exchange.HttpResponse``, without its imports."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class _Running:
    """A worker process, and the requests and streams that wait for it."""

    process: Process
    waiting: dict[int, asyncio.Future[WorkerAnswer]] = field(default_factory=dict)
    streams: dict[int, asyncio.Queue[bytes | WorkerAnswer | None]] = field(default_factory=dict)
    reader: asyncio.Task[None] | None = None

    gone: bool = False  # known before the process can be waited for

    @property
    def alive(self) -> bool:
        return not self.gone and self.process.returncode is None


class WorkerClient:
    """Sends requests to the worker, from one event loop.

    Parameters
    ----------
    folder : str
        The server's folder; paths in requests are relative to it.
    """

    def __init__(self, folder: str, log: Any) -> None:
        self._folder, self._log = folder, log
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def send(self, head: dict[str, Any], body: bytes = b"") -> WorkerAnswer:
        """Send a request and return the response. A GET is sent again if the worker ended meanwhile.

        Raises
        ------
        WorkerLost
        """
        try:
            return await self._send(head, body)
        except WorkerLost:
            if head["method"] != "GET":
                raise
            return await self._send(head, body)

    async def prepare(self, *, expects_deploy: bool) -> None:
        """Start the worker, which then imports the modules of the Deploy dialog. Raises WorkerLost.

        ``expects_deploy``: a user has opened the dialog, so it starts the processes of a deploy instead.
        """
        await self._write(await self._ensure_running(), {"prepare": True, "expects_deploy": expects_deploy})

    async def _send(self, head: dict[str, Any], body: bytes) -> WorkerAnswer:
        running = await self._ensure_running()
        number = next(self._numbers)
        running.waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._write(running, head | {"id": number}, body)
            return await running.waiting[number]
        finally:
            running.waiting.pop(number, None)

    async def listen(self, after: int | None) -> AsyncGenerator[bytes | WorkerAnswer]:
        """Yield the events after this one as server-sent events; a ``WorkerAnswer`` in their place is a refusal."""
        running = await self._ensure_running()
        number = next(self._numbers)
        parts = running.streams[number] = asyncio.Queue(MAX_BACKLOG)
        try:
            await self._write(running, {"id": number, "after": after})
            while (part := await parts.get()) is not None:
                yield part
        finally:
            running.streams.pop(number, None)
            if running.alive:
                with contextlib.suppress(WorkerLost):  # then the stream has ended too
                    await self._write(running, {"id": number, "cancel": True})

    async def stop(self) -> None:
        """End the process, as at the server's end."""
        running, self._running = self._running, None
        if running is None or running.process.stdin is None or running.reader is None:
            return
        running.process.stdin.close()
        await running.process.wait()
        await running.reader

    async def _ensure_running(self) -> _Running:
        async with self._starting:
            if self._running is None or not self._running.alive:
                self._running = await self._start()
            return self._running

    async def _start(self) -> _Running:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "jupyter_deploy.faces.server.rest.worker", self._folder),
                stdin=PIPE,
                stdout=PIPE,
                env=dict(os.environ),
                cwd="/",
                start_new_session=True,  # Ctrl-C at the server's terminal is the server's
            )
        except OSError as error:
            raise WorkerLost(f"the worker process cannot be started: {error}") from error
        running = _Running(process)
        running.reader = asyncio.create_task(self._read(running))
        return running

    async def _write(self, running: _Running, head: dict[str, Any], body: bytes = b"") -> None:
        assert running.process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            running.process.stdin.write(pack(head, body))
            await running.process.stdin.drain()
        except OSError as error:
            raise WorkerLost("the worker process has ended") from error

    async def _read(self, running: _Running) -> None:
        assert running.process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            while line := await running.process.stdout.readline():
                head = json.loads(line)
                self._receive(running, head, await running.process.stdout.readexactly(head["length"]))
        except (asyncio.IncompleteReadError, ValueError):
            pass  # it was killed within a message
        finally:
            running.gone, unexpected = True, running is self._running
            gone = WorkerLost("the worker process has ended")
            for future in running.waiting.values():
                if not future.done():
                    future.set_exception(gone)
            for parts in running.streams.values():
                _end(parts)
        code = await running.process.wait()
        if unexpected:
            self._log.warning("nbdeploy: the worker process has ended (%s); the next request restarts it", code)

    def _receive(self, running: _Running, head: dict[str, Any], body: bytes) -> None:
        number = head["id"]
        answer = None if head.get("more") else WorkerAnswer(head["status"], head["headers"], body)
        if answer and (future := running.waiting.get(number)) and not future.done():
            future.set_result(answer)
        if parts := running.streams.get(number):
            try:
                parts.put_nowait(answer or body)
            except asyncio.QueueFull:
                _end(parts)


def _end(parts: asyncio.Queue[bytes | WorkerAnswer | None]) -> None:
    """End a stream. A full one ends at once: its client reconnects after the last event that it got."""
    if parts.full():
        while not parts.empty():
            parts.get_nowait()
    parts.put_nowait(None)
