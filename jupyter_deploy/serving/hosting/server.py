"""The server of a release: uvicorn with a proof of the example at startup and a bounded shutdown."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from .exit_reasons import EXAMPLE_DIFFERS, NOT_LOADED, StartupError
from .options import HostingOptions
from .shutdown import Shutdown

if TYPE_CHECKING:
    from .outer_app import ContainerApp

# Longer than the gateway keeps an idle connection (envoy.upstream.UPSTREAM_IDLE_SECONDS).
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

    from .uvicorn_server import ReleaseServer

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
        name = options.uds if app.pool is None else None  # that of a pool is its parent's
        server = ReleaseServer(config, listener, shutdown, name=name, on_open=on_open, pool=app.pool)
        server.run(sockets=[listener])
    except SystemExit:  # uvicorn's reaction to a failed startup
        if not app.failed:
            raise StartupError(NOT_LOADED, "the service did not start; the log lines above have the reason") from None
        raise StartupError(EXAMPLE_DIFFERS, app.failed) from None
