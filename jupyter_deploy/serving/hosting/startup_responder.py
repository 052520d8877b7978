"""Who answers while the model is loaded: that the process lives, and why it is not ready.

A thread of its own, since the main one imports and unpickles; what it accepts it answers once and closes. Then the
server takes over the very socket: no connection is refused in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import uuid
from dataclasses import dataclass

from ..asgi.messages import Response
from ..asgi.problems import Problem

ALIVE = ("/livez", "/v2/health/live")

_MAX_HEAD_BYTES = 64 * 1024
_HEAD_SECONDS = 5.0
_LAST_SECONDS = 0.5
_POLL_SECONDS = 0.02
_PHRASES = {200: b"OK", 503: b"Service Unavailable"}


@dataclass
class Readiness:
    """What is said of a container that is not ready, or is ending.

    Attributes
    ----------
    reason
        Why it is not ready, as long as it is not.
    """

    reason: str = "the model is being loaded"
    stopping: bool = False

    @property
    def not_ready(self) -> Problem:
        """What is answered to who asks whether it is ready, or asks too early."""
        return Problem(503, "the service is ending" if self.stopping else self.reason)


class StartupResponder:
    """Answers at a socket until it is told to go.

    Parameters
    ----------
    listener
        It goes on listening afterwards.
    """

    def __init__(self, listener: socket.socket, readiness: Readiness) -> None:
        self._listener, self._readiness = listener.dup(), readiness
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        threading.Thread(target=self._run, name="doorman", daemon=True).start()

    def stop(self) -> None:
        """Accept nobody any more; those who have been accepted are still answered."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._answer_all())

    async def _answer_all(self) -> None:
        server = await asyncio.start_server(self._handle, sock=self._listener, limit=_MAX_HEAD_BYTES)
        await self._stopped.wait()
        server.close()
        until = self._loop.time() + _LAST_SECONDS
        while (tasks := asyncio.all_tasks() - {asyncio.current_task()}) and self._loop.time() < until:
            await asyncio.wait(tasks, timeout=_POLL_SECONDS)  # one that was just accepted becomes a task, and another
        for task in tasks:
            task.cancel()  # who has not asked by now asks the server, on another connection
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # then what was closed is

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_serialise(self._answer(head)))
                writer.write_eof()
                # Closed with something unread, the connection would be reset, and the answer lost.
                async with asyncio.timeout(_LAST_SECONDS):
                    while await reader.read(_MAX_HEAD_BYTES):
                        pass
            finally:
                writer.close()

    def _answer(self, head: bytes) -> Response:
        _, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        if path in ALIVE:
            return Response(200, b"{}")
        return self._readiness.not_ready.response(str(uuid.uuid4()))


def _serialise(answer: Response) -> bytes:
    lines = [
        b"HTTP/1.1 %d %b" % (answer.status, _PHRASES[answer.status]),
        b"content-type: %b" % answer.content_type.encode("ascii"),
        b"content-length: %d" % len(answer.body),
        b"connection: close",
        *(b"%b: %b" % pair for pair in answer.headers),
    ]
    return b"\r\n".join([*lines, b"", answer.body])
