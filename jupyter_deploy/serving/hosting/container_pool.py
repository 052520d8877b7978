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
from ..telemetry.logging import tell
from . import pool
from . import run as running
from .exit_reasons import Failed
from .options import Hosting
from .processors import threads
from .shutdown import Ending
from .startup_responder import State
from .workers import APART, PROGRAM


class Crew(pool.Pool):
    """The parent of the workers.

    Parameters
    ----------
    listener
        What all of them serve; it is closed here.
    ready
        A descriptor, written to when all of them have proved the example.
    """

    def __init__(self, chosen: Hosting, listener: socket.socket, ready: int, count: int, *, apart: bool) -> None:
        super().__init__([], count, apart=apart)
        self._chosen, self._listener, self._said, self._count = chosen, listener, ready, count
        self._opens, self._open = os.pipe()  # as long as its other end is open, who is ready waits for the others
        self._first = True

    def listeners(self) -> list[socket.socket]:
        """The same socket for each, by a descriptor of its own."""
        copies = [self._listener.dup() for _ in range(self._chosen.workers)]
        self._listener.close()
        for copy in copies:
            copy.setblocking(False)
        return copies

    def all_ready(self) -> None:
        """Let the workers and the world begin."""
        self._first = False
        os.close(self._open)
        os.write(self._said, b"r")
        os.close(self._said)

    def tell(self, words: str) -> None:
        """As all that a container says."""
        tell(words, level="warning")

    def serve(self, number: int, listener: socket.socket, ready: int) -> None:
        """Be a worker; ends with a container's exit code."""
        state = State()
        ending = Ending(state)
        if self._first:
            os.close(self._open)
            os.close(self._said)

        def proved() -> None:
            os.write(ready, b"1")
            os.close(ready)
            os.read(self._opens, 1)

        def opened() -> None:
            if self._first and number == 0:
                running.tell_ready(tag, self._chosen, self._count)

        try:
            if self._threads is None:  # apart
                running.load(self._chosen)
            app, tag = running.application()
            from .outer_app import Contained  # as its server, not needed by who only forks
            from .server import serve

            serve(Contained(app, self._chosen, state, proved), self._chosen, listener, ending, opened)
        except Failed as failed:
            tell(failed.why, details=failed.details)
            sys.exit(failed.code)


def main(arguments: Sequence[str]) -> int:
    """Load, fork, look after; the exit code."""
    listener, ready, how, *rest = arguments
    pool.end_with(os.getppid())
    given = dict(os.environ)
    running.prepared()
    apart = how == APART
    try:
        chosen = running.decided(rest)
        count = threads(chosen.threads, chosen.workers) or 1
        # Threads do not live through a fork: what is loaded is to start none.
        os.environ.update(dict.fromkeys(pool.THREADS, str(count if apart else 1)))
        folder = Path.cwd()
        if not apart:
            running.load(chosen)
            if reason := pool.not_to_be_forked():
                tell(f"the model cannot be shared: {reason}; each worker loads it", level="info")
                workplace.leave()
                os.chdir(folder)
                os.execve(PROGRAM[0], [*PROGRAM, listener, ready, APART, *rest], given)  # noqa: S606
            gc.collect()
            gc.freeze()  # the collector would write into every page that has an object
    except Failed as failed:
        tell(failed.why, details=failed.details)
        return failed.code
    output.among_processes()
    return Crew(chosen, socket.socket(fileno=int(listener)), int(ready), count, apart=apart).run()
