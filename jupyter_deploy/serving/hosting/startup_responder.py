"""The responder that answers while the model is loading: the process is alive, and the reason why it is not ready.

It runs in its own thread, since the main thread imports and unpickles. It answers each connection once and closes it.
The server then takes over the same socket, so no connection is refused in between.
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

STARTING = b"x-rollout-starting"
"""The header of a refusal during the start: nobody has seen the request, so nbdeploy's gateway repeats it."""

_MAX_HEAD_BYTES = 64 * 1024
_HEAD_SECONDS = 5.0
_LAST_SECONDS = 0.5
_POLL_SECONDS = 0.02
_ALIVE = Response(200, b"{}")
_PHRASES = {200: b"OK", 503: b"Service Unavailable"}


@dataclass
class Readiness:
    """The readiness of a container.

    Attributes
    ----------
    reason
        The reason why it is not ready.
    stopping
        Whether it is shutting down.
    """

    reason: str = "the model is being loaded"
    stopping: bool = False

    @property
    def not_ready(self) -> Problem:
        """The problem 503 for a readiness probe or an early request."""
        if self.stopping:
            return Problem(503, "the service is shutting down")
        return Problem(503, self.reason, headers=[(STARTING, b"1")])


class StartupResponder:
    """Answers on a socket until it is stopped.

    Parameters
    ----------
    listener
        The socket; it keeps listening afterwards.
    """

    def __init__(self, listener: socket.socket, readiness: Readiness) -> None:
        self._listener, self._readiness = listener.dup(), readiness
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        threading.Thread(target=self._run, name="startup-responder", daemon=True).start()

    def stop(self) -> None:
        """Stop accepting; accepted connections are still answered."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._answer_all())

    async def _answer_all(self) -> None:
        server = await asyncio.start_server(self._handle, sock=self._listener, limit=_MAX_HEAD_BYTES)
        await self._stopped.wait()
        # Not closed yet: asyncio would lose, and leave open, a connection that was accepted a moment ago.
        self._loop.remove_reader(self._listener)
        until = self._loop.time() + _LAST_SECONDS
        while (tasks := asyncio.all_tasks() - {asyncio.current_task()}) and self._loop.time() < until:
            await asyncio.wait(tasks, timeout=_POLL_SECONDS)  # a connection that was just accepted becomes a task
        for task in tasks:
            task.cancel()  # a client without a request by now connects to the server
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        await asyncio.sleep(0)  # completes the closing of transports

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_serialise(self._answer(head)))
                writer.write_eof()
                # If unread bytes were left, closing would reset the connection and lose the response.
                async with asyncio.timeout(_LAST_SECONDS):
                    while await reader.read(_MAX_HEAD_BYTES):
                        pass
            finally:
                writer.close()

    def _answer(self, head: bytes) -> Response:
        _, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        if path in ALIVE:
            return _ALIVE
        return self._readiness.not_ready.response(str(uuid.uuid4()))


def alive_response() -> bytes:
    """Return the response to a liveness probe, after which the connection is closed."""
    return _serialise(_ALIVE)


def _serialise(answer: Response) -> bytes:
    lines = [
        b"HTTP/1.1 %d %b" % (answer.status, _PHRASES[answer.status]),
        b"content-type: %b" % answer.content_type.encode("ascii"),
        b"content-length: %d" % len(answer.body),
        b"connection: close",
        *(b"%b: %b" % pair for pair in answer.headers),
    ]
    return b"\r\n".join([*lines, b"", answer.body])
