"""uvicorn's server with the signals, the liveness watch and the pool of a release.

A server that closes an idle connection may close it while a request is on its way. So at its end, each connection is
closed with its next response (``outer_app``), and one without a request half a second later. A unix socket loses its
name first: a gateway retries until the next process has it.

``server`` imports it late: the startup responder answers meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn

from . import unix_socket
from .liveness import LivenessWatch
from .pool_link import PoolLink
from .shutdown import Shutdown

_IDLE_SECONDS, _POLL_SECONDS = 0.5, 0.02


class ReleaseServer(uvicorn.Server):
    """A server on one socket.

    Parameters
    ----------
    name
        The path of the unix socket, if it is this process's own.
    on_open
        Called when it accepts requests.
    pool
        The orders of its parent.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        shutdown: Shutdown,
        *,
        name: str | None,
        on_open: Callable[[], None],
        pool: PoolLink | None,
    ) -> None:
        super().__init__(config)
        self._listener, self._shutdown, self._name = listener, shutdown, name
        self._on_open, self._pool = on_open, pool

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # Shutdown handles them

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._shutdown.listen()  # uvloop has replaced the wakeup descriptor
        await super().startup(sockets)
        self._shutdown.on_signal(self._end)
        self._on_open()
        loop = asyncio.get_running_loop()
        self._watch = LivenessWatch(loop, self._listener, partial(self._protocol, loop))
        if self._pool is not None:
            loop.add_reader(self._pool.control, self._drain, loop, self._pool)
            for connection in self._pool.connections():
                connection.setblocking(False)
                await loop.connect_accepted_socket(partial(self._protocol, loop), connection)

    async def on_tick(self, counter: int) -> bool:
        drained = self._pool is not None and self._pool.draining and not self.server_state.connections
        return await super().on_tick(counter) or drained

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.started:
            self._watch.close()
            await self._finish_connections()
        late = asyncio.create_task(self._end_late_connections())
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()

    async def _end_late_connections(self) -> None:
        """End connections that were accepted before the shutdown and reach the server after it has ended the others.

        uvicorn would wait for them. Each gets time to be read: a request that has arrived is answered.
        """
        seen: set[Any] = set()
        ended: set[Any] = set()
        while True:
            for connection in seen - ended:
                connection.shutdown()
            ended |= seen
            seen = set(self.server_state.connections)
            await asyncio.sleep(_IDLE_SECONDS)

    async def _finish_connections(self) -> None:
        """Return when all connections are closed, or were idle for a moment; new ones go to other processes."""
        if self._name is None:
            for server in self.servers:
                server.close()
        else:
            unix_socket.remove(self._name)  # those that are in its queue are accepted
        for _ in range(round(_IDLE_SECONDS / _POLL_SECONDS)):
            if not self.server_state.connections:
                return
            await asyncio.sleep(_POLL_SECONDS)

    def _drain(self, loop: asyncio.AbstractEventLoop, pool: PoolLink) -> None:
        """Accept no connections any more, and end with the last one."""
        loop.remove_reader(pool.control)
        pool.draining = True
        self._watch.close()
        for server in self.servers:
            server.close()

    def _protocol(self, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
        )
        return protocol

    def _end(self) -> None:
        self.should_exit = True
