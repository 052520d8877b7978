"""The server's side of the asked process: started by the first question, and again when it has died. Light."""

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

from .frames import packed

KEPT_BACK = 256
"""So many parts a stream may be behind; one that is further behind ends, and its client comes back for the rest."""


class AskedGone(Exception):
    """The asked process ended before it had answered."""


@dataclass(frozen=True)
class Answered:
    """As ``questions.Answer``, without what that imports."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class _Running:
    """One asked process, and who waits for what."""

    process: Process
    waiting: dict[int, asyncio.Future[Answered]] = field(default_factory=dict)
    streams: dict[int, asyncio.Queue[bytes | Answered | None]] = field(default_factory=dict)
    reader: asyncio.Task[None] | None = None

    gone: bool = False  # known before it can be waited for

    @property
    def alive(self) -> bool:
        return not self.gone and self.process.returncode is None


class Asking:
    """Asks, from one event loop.

    Parameters
    ----------
    folder : str
        The server's own, to which paths in requests are relative.
    """

    def __init__(self, folder: str, log: Any) -> None:
        self._folder, self._log = folder, log
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def ask(self, head: dict[str, Any], body: bytes = b"") -> Answered:
        """The answer to a question. One that only looks is asked again if the process ended meanwhile.

        Raises
        ------
        AskedGone
        """
        try:
            return await self._ask(head, body)
        except AskedGone:
            if head["method"] != "GET":
                raise
            return await self._ask(head, body)

    async def _ask(self, head: dict[str, Any], body: bytes) -> Answered:
        running = await self._there()
        number = next(self._numbers)
        running.waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(running, head | {"id": number}, body)
            return await running.waiting[number]
        finally:
            running.waiting.pop(number, None)

    async def listen(self, after: int | None) -> AsyncGenerator[bytes | Answered]:
        """What happens after an event, as parts of a stream of server-sent events; an answer: why there is none."""
        running = await self._there()
        number = next(self._numbers)
        parts = running.streams[number] = asyncio.Queue(KEPT_BACK)
        try:
            await self._send(running, {"id": number, "after": after})
            while (part := await parts.get()) is not None:
                yield part
        finally:
            running.streams.pop(number, None)
            if running.alive:
                with contextlib.suppress(AskedGone):  # then nobody is left who could go on telling
                    await self._send(running, {"id": number, "cancel": True})

    async def stop(self) -> None:
        """End the process, as the server's end does."""
        running, self._running = self._running, None
        if running is None or running.process.stdin is None or running.reader is None:
            return
        running.process.stdin.close()
        await running.process.wait()
        await running.reader

    async def _there(self) -> _Running:
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
            raise AskedGone(f"the process that answers cannot be started: {error}") from error
        running = _Running(process)
        running.reader = asyncio.create_task(self._read(running))
        return running

    async def _send(self, running: _Running, head: dict[str, Any], body: bytes = b"") -> None:
        assert running.process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            running.process.stdin.write(packed(head, body))
            await running.process.stdin.drain()
        except OSError as error:
            raise AskedGone("the process that answers has ended") from error

    async def _read(self, running: _Running) -> None:
        assert running.process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            while line := await running.process.stdout.readline():
                head = json.loads(line)
                self._received(running, head, await running.process.stdout.readexactly(head["length"]))
        except (asyncio.IncompleteReadError, ValueError):
            pass  # it was killed while it wrote
        finally:
            running.gone, wanted = True, running is self._running
            gone = AskedGone("the process that answers has ended")
            for future in running.waiting.values():
                if not future.done():
                    future.set_exception(gone)
            for parts in running.streams.values():
                _end(parts)
        code = await running.process.wait()
        if wanted:
            self._log.warning("nbdeploy: the process that answers has ended (%s); the next request starts it", code)

    def _received(self, running: _Running, head: dict[str, Any], body: bytes) -> None:
        number = head["id"]
        answer = None if head.get("more") else Answered(head["status"], head["headers"], body)
        if answer and (future := running.waiting.get(number)) and not future.done():
            future.set_result(answer)
        if parts := running.streams.get(number):
            try:
                parts.put_nowait(answer or body)
            except asyncio.QueueFull:
                _end(parts)


def _end(parts: asyncio.Queue[bytes | Answered | None]) -> None:
    """The stream ends. One that is full ends at once: its client comes back after the last event that it was sent."""
    if parts.full():
        while not parts.empty():
            parts.get_nowait()
    parts.put_nowait(None)
