"""uvicorn's server with the signals, the liveness watch and the pool of a release.

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

from .liveness import LivenessWatch
from .pool_link import PoolLink
from .shutdown import Shutdown

_LATE_SECONDS = 0.1


class ReleaseServer(uvicorn.Server):
    """A server on one socket. ``on_open`` is called when it accepts requests; ``pool``: its parent's orders."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        shutdown: Shutdown,
        on_open: Callable[[], None],
        pool: PoolLink | None,
    ) -> None:
        super().__init__(config)
        self._listener, self._shutdown, self._on_open, self._pool = listener, shutdown, on_open, pool

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
            await asyncio.sleep(_LATE_SECONDS)

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
