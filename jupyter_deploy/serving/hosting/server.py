"""The server of a container: uvicorn, which proves the example first and ends as ``ending`` says."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .exit_reasons import EXAMPLE_DIFFERS, NOT_LOADED, StartupError
from .options import HostingOptions
from .shutdown import GRACE_SECONDS, Shutdown

if TYPE_CHECKING:
    from .outer_app import ContainerApp

_KEEP_ALIVE_SECONDS = 75


def serve(
    app: ContainerApp, options: HostingOptions, listener: socket.socket, shutdown: Shutdown, on_open: Callable[[], None]
) -> None:
    """Serve at a socket until told to end; ``opened`` is called when it can be asked.

    Raises
    ------
    Failed
        It has not started: the example is answered otherwise, or something else went wrong.
    """
    import uvicorn  # noqa: PLC0415 - the doorman has been answering for long

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # they are heard elsewhere

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            shutdown.listen()  # uvloop has taken them
            await super().startup(sockets)
            shutdown.on_signal(self.end)
            on_open()

        def end(self) -> None:
            self.should_exit = True

    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=options.access_log,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if options.access_log:
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    try:
        Server(config).run(sockets=[listener])
    except SystemExit:  # what uvicorn says where the application has not started
        if not app.failed:
            raise StartupError(NOT_LOADED, "the service has not started; what went wrong stands above") from None
        raise StartupError(EXAMPLE_DIFFERS, app.failed) from None
