"""Several workers that share a container's loaded model, at one socket: ``main([SOCKET, READY, "shared", …])``.

    container.py   has the socket, answers until all are ready, hears signals (workers.py)
      crew.py      loads the model, forks the workers, and forks another one where one dies
        a worker   proves the example, serves, and drains when it is told to end: as a container of one does

SOCKET and READY are descriptors that it inherits; what follows are container.py's own arguments. All workers accept at
the same socket: whoever is free takes the next connection, and nobody waits for one that has died. Where a loaded model
cannot be forked (``pool.not_to_be_forked``) it says so and starts again (``apart``): each worker loads it then.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import output, workplace
from ..telemetry.logging import log
from . import pool
from . import run as startup
from .exit_reasons import StartupError
from .options import HostingOptions
from .processors import threads
from .shutdown import Shutdown
from .startup_responder import Readiness
from .workers import APART, PROGRAM


class ContainerPool(pool.Pool):
    """The parent of the workers.

    Parameters
    ----------
    listener
        What all of them serve; it is closed here.
    ready
        A descriptor, written to when all of them have proved the example.
    """

    def __init__(
        self, options: HostingOptions, listener: socket.socket, ready: int, count: int, *, apart: bool
    ) -> None:
        super().__init__([], count, apart=apart)
        self._options, self._listener, self._ready_pipe, self._count = options, listener, ready, count
        self._gate, self._gate_opener = os.pipe()  # as long as its other end is open, who is ready waits for the others
        self._first = True

    def listeners(self) -> list[socket.socket]:
        """The same socket for each, by a descriptor of its own."""
        copies = [self._listener.dup() for _ in range(self._options.workers)]
        self._listener.close()
        for copy in copies:
            copy.setblocking(False)
        return copies

    def all_ready(self) -> None:
        """Let the workers and the world begin."""
        self._first = False
        os.close(self._gate_opener)
        os.write(self._ready_pipe, b"r")
        os.close(self._ready_pipe)

    def log(self, words: str) -> None:
        """As all that a container says."""
        log(words, level="warning")

    def serve(self, number: int, listener: socket.socket, ready: int) -> None:
        """Be a worker; ends with a container's exit code."""
        readiness = Readiness()
        shutdown = Shutdown(readiness)
        if self._first:
            os.close(self._gate_opener)
            os.close(self._ready_pipe)

        def on_ready() -> None:
            os.write(ready, b"1")
            os.close(ready)
            os.read(self._gate, 1)

        def on_open() -> None:
            if self._first and number == 0:
                startup.log_ready(tag, self._options, self._count)

        try:
            if self._threads is None:  # apart
                startup.load(self._options)
            app, tag = startup.application()
            from .outer_app import ContainerApp  # noqa: PLC0415 - as its server, not needed by who only forks
            from .server import serve  # noqa: PLC0415

            serve(ContainerApp(app, self._options, readiness, on_ready), self._options, listener, shutdown, on_open)
        except StartupError as error:
            log(error.reason, details=error.details)
            sys.exit(error.code)


def main(arguments: Sequence[str]) -> int:
    """Load, fork, look after; the exit code."""
    listener, ready, mode, *rest = arguments
    pool.end_with_parent(os.getppid())
    environment = dict(os.environ)
    startup.prepare()
    apart = mode == APART
    try:
        options = startup.read_options(rest)
        count = threads(options.threads, options.workers) or 1
        # Threads do not live through a fork: what is loaded is to start none.
        os.environ.update(dict.fromkeys(pool.THREADS, str(count if apart else 1)))
        folder = Path.cwd()
        if not apart:
            startup.load(options)
            if reason := pool.fork_obstacle():
                log(f"the model cannot be shared: {reason}; each worker loads it", level="info")
                workplace.leave()
                os.chdir(folder)
                os.execve(PROGRAM[0], [*PROGRAM, listener, ready, APART, *rest], environment)  # noqa: S606
            gc.collect()
            gc.freeze()  # the collector would write into every page that has an object
    except StartupError as error:
        log(error.reason, details=error.details)
        return error.code
    output.share_output_lock()
    return ContainerPool(options, socket.socket(fileno=int(listener)), int(ready), count, apart=apart).run()
