"""The server of a release: uvicorn with a proof of the example at startup and a bounded shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from .exit_reasons import EXAMPLE_DIFFERS, NOT_LOADED, StartupError
from .liveness import LivenessWatch
from .options import HostingOptions
from .shutdown import Shutdown

if TYPE_CHECKING:
    from .outer_app import ContainerApp

# Longer than the gateway keeps an idle connection (envoy_parts.UPSTREAM_IDLE_SECONDS).
_KEEP_ALIVE_SECONDS = 75


def serve(
    app: ContainerApp, options: HostingOptions, listener: socket.socket, shutdown: Shutdown, on_open: Callable[[], None]
) -> None:
    """Serve on a socket until a signal stops the process; ``on_open`` is called when it accepts requests.

    Raises
    ------
    StartupError
        The startup failed: the example is answered differently, or another error occurred.
    """
    import uvicorn  # the startup responder answers meanwhile

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # Shutdown handles them

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            shutdown.listen()  # uvloop has replaced the wakeup descriptor
            await super().startup(sockets)
            shutdown.on_signal(self.end)
            on_open()
            loop = asyncio.get_running_loop()
            self.watch = LivenessWatch(loop, listener, partial(self._protocol, loop))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if self.started:
                self.watch.close()
            await super().shutdown(sockets)

        def _protocol(self, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
            make: Any = self.config.http_protocol_class
            protocol: asyncio.Protocol = make(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )
            return protocol

        def end(self) -> None:
            self.should_exit = True

    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=options.access_log,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=options.grace_seconds,
    )
    if options.access_log:
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    try:
        Server(config).run(sockets=[listener])
    except SystemExit:  # uvicorn's reaction to a failed startup
        if not app.failed:
            raise StartupError(NOT_LOADED, "the service did not start; the log lines above have the reason") from None
        raise StartupError(EXAMPLE_DIFFERS, app.failed) from None
