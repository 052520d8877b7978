"""Liveness while a call holds the event loop: a thread answers ``/livez`` on new connections.

A model whose calls are short runs in the event loop (``dispatch.predictor``). Its first slow call holds the loop. A
probe of a platform must not take that for a dead process, so a watch notices the silence of the loop, accepts new
connections meanwhile, and answers those that ask whether the process is alive. It passes all others to the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
from collections.abc import Callable

from .startup_responder import ALIVE, alive_response

POLL_SECONDS = 0.25
"""Time between two signs of life; a loop that gives none for so long is taken to be held."""

_HEAD_SECONDS = 0.5
_PEEKED_BYTES = 256


class LivenessWatch:
    """Watches an event loop from a thread, until ``close``.

    Parameters
    ----------
    listener
        The server's socket; it stays open.
    protocol
        Makes the server's protocol for a connection that was accepted here.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._loop, self._listener, self._protocol = loop, listener.dup(), protocol
        self._answered, self._closed = threading.Event(), threading.Event()
        self._tasks: set[asyncio.Task[object]] = set()
        threading.Thread(target=self._run, name="liveness", daemon=True).start()

    def close(self) -> None:
        """End the watch and its use of the socket."""
        self._closed.set()

    def _run(self) -> None:
        with contextlib.closing(self._listener), contextlib.suppress(RuntimeError):  # the loop is closed
            while not self._closed.wait(POLL_SECONDS):
                self._answered.clear()
                self._loop.call_soon_threadsafe(self._answered.set)
                if not self._answered.wait(POLL_SECONDS):
                    self._accept_meanwhile()

    def _accept_meanwhile(self) -> None:
        while not self._answered.is_set() and not self._closed.is_set():
            if not select.select([self._listener], [], [], POLL_SECONDS / 5)[0]:
                continue
            with contextlib.suppress(OSError):  # a worker with a free loop was quicker, or the client is gone
                connection, _ = self._listener.accept()
                self._handle(connection)

    def _handle(self, connection: socket.socket) -> None:
        """Answer a liveness probe, or pass the connection, of which nothing was read, to the loop."""
        connection.settimeout(_HEAD_SECONDS)
        with contextlib.suppress(OSError):
            head = connection.recv(_PEEKED_BYTES, socket.MSG_PEEK)
            path = head.partition(b" ")[2].partition(b" ")[0].partition(b"?")[0]
            if path.decode("latin-1") in ALIVE:
                with connection:
                    connection.sendall(alive_response())
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):  # unread bytes would reset the connection and lose the response
                        pass
                return
        connection.setblocking(False)
        self._loop.call_soon_threadsafe(self._pass_on, connection)

    def _pass_on(self, connection: socket.socket) -> None:
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connection))
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)
