"""The pool of workers that share a container's model and one socket: ``main([SOCKET, READY, "shared", …])``.

    container.py         holds the socket, answers until all are ready, receives the signals (workers.py)
      container_pool.py  loads the model, forks the workers, and replaces one that dies
        a worker         proves the example, serves, and drains on SIGTERM, as a container with one worker does

SOCKET and READY are inherited descriptors; the further arguments are container.py's own. All workers accept on the same
socket, so an idle worker takes the next connection, and no connection waits for a dead worker. If the loaded model
cannot be forked (``pool.fork_obstacle``), the pool logs the reason and restarts in the mode ``apart``: each worker
loads the model.
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
        The socket that all workers serve; closed in the parent.
    ready
        A descriptor that is written to when all workers have proved the example.
    """

    def __init__(
        self, options: HostingOptions, listener: socket.socket, ready: int, count: int, *, apart: bool
    ) -> None:
        super().__init__([], count, apart=apart)
        self._options, self._listener, self._ready_pipe, self._count = options, listener, ready, count
        self._gate, self._gate_opener = os.pipe()  # a ready worker waits for the others until the other end closes
        self._first = True

    def listeners(self) -> list[socket.socket]:
        """Return the same socket for each worker, by a descriptor of its own."""
        copies = [self._listener.dup() for _ in range(self._options.workers)]
        self._listener.close()
        for copy in copies:
            copy.setblocking(False)
        return copies

    def all_ready(self) -> None:
        """Release the waiting workers and report readiness."""
        self._first = False
        os.close(self._gate_opener)
        os.write(self._ready_pipe, b"r")
        os.close(self._ready_pipe)

    def log(self, words: str) -> None:
        """Log in the container's format."""
        log(words, level="warning")

    def serve(self, number: int, listener: socket.socket, ready: int) -> None:
        """Run a worker; ends with a container's exit code."""
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
            if self._threads is None:  # the mode ``apart``
                startup.load(self._options)
            app, tag = startup.application()
            from .outer_app import ContainerApp  # the parent needs neither this nor the server
            from .server import serve

            serve(ContainerApp(app, self._options, readiness, on_ready), self._options, listener, shutdown, on_open)
        except StartupError as error:
            log(error.reason, details=error.details)
            sys.exit(error.code)


def main(arguments: Sequence[str]) -> int:
    """Load the model, fork and supervise the workers; return the exit code."""
    listener, ready, mode, *rest = arguments
    pool.end_with_parent(os.getppid())
    environment = dict(os.environ)
    startup.prepare()
    apart = mode == APART
    try:
        options = startup.read_options(rest)
        count = threads(options.threads, options.workers) or 1
        # Threads do not survive a fork, so loading must not start any.
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
            gc.freeze()  # the collector would write into every page with an object
    except StartupError as error:
        log(error.reason, details=error.details)
        return error.code
    output.share_output_lock()
    return ContainerPool(options, socket.socket(fileno=int(listener)), int(ready), count, apart=apart).run()
