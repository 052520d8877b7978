"""The server of a container: uvicorn, which proves the example first and ends as ``ending`` says."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .exit_reasons import ANSWERED_OTHERWISE, NOT_LOADED, Failed
from .options import Hosting
from .shutdown import GRACE_SECONDS, Ending

if TYPE_CHECKING:
    from .outer_app import Contained

_KEEP_ALIVE_SECONDS = 75


def serve(
    contained: Contained, chosen: Hosting, listener: socket.socket, ending: Ending, opened: Callable[[], None]
) -> None:
    """Serve at a socket until told to end; ``opened`` is called when it can be asked.

    Raises
    ------
    Failed
        It has not started: the example is answered otherwise, or something else went wrong.
    """
    import uvicorn  # the startup responder answers meanwhile

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # they are heard elsewhere

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            ending.listen()  # uvloop has taken them
            await super().startup(sockets)
            ending.gently(self.end)
            opened()

        def end(self) -> None:
            self.should_exit = True

    config = uvicorn.Config(
        contained,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=chosen.access_log,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if chosen.access_log:
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    try:
        Server(config).run(sockets=[listener])
    except SystemExit:  # what uvicorn says where the application has not started
        if not contained.failed:
            raise Failed(NOT_LOADED, "the service has not started; what went wrong stands above") from None
        raise Failed(ANSWERED_OTHERWISE, contained.failed) from None
