"""Shutdown of a service on SIGTERM and SIGINT: in bounded time, whatever the main thread is doing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable

from .. import workplace
from ..telemetry.logging import log
from .options import GRACE_SECONDS
from .startup_responder import Readiness

_MARGIN_SECONDS = 1.2  # after the grace period, for the end of the server

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Ends this process on a signal: at once until it serves, gracefully afterwards.

    Python's own handlers run in the main thread, which a library may block for long. A thread therefore reads the
    signals from a pipe (``set_wakeup_fd``). An event loop that begins to run replaces that descriptor until ``listen``
    is called again; the handlers write to the pipe too, so that no signal is lost meanwhile.

    Parameters
    ----------
    grace_seconds
        Time that the server gives to requests in progress; a moment later, the process exits in any case.
    delay
        Seconds before that in which a server goes on: gateways elsewhere learn a moment later that it is ending.
    """

    def __init__(self, readiness: Readiness, grace_seconds: float = GRACE_SECONDS, delay: float = 0.0) -> None:
        self._readiness = readiness
        self.grace_seconds = grace_seconds
        self._delay = delay
        self._end: Callable[[], None] | None = None
        self._more_seconds = 0.0
        self._on_timeout: Callable[[], None] = _log_timeout
        self._lock = threading.Lock()
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self.listen()  # first: a signal between the two would be lost
        for number in _SIGNALS:
            signal.signal(number, self._write)
        threading.Thread(target=self._wait, args=(reading,), name="shutdown", daemon=True).start()

    def listen(self) -> None:
        """Have signals written to the pipe; called again after an event loop has replaced the descriptor."""
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def on_signal(
        self,
        end: Callable[[], None],
        *,
        more_seconds: float = 0.0,
        on_timeout: Callable[[], None] | None = None,
    ) -> None:
        """Set the function that stops the server, and ``on_timeout``, which is called if that takes too long.

        ``more_seconds``: time beyond that of the worker processes, which receive the signal a moment later.
        """
        with self._lock:
            self._end = end
            self._more_seconds, self._on_timeout = more_seconds, on_timeout or self._on_timeout

    def _write(self, number: int, _frame: object) -> None:
        with contextlib.suppress(BlockingIOError):  # full of signals already
            os.write(self._writing, bytes([number]))

    def _wait(self, reading: int) -> None:
        while os.read(reading, 1)[0] not in _SIGNALS:
            pass
        self._readiness.stopping = True
        with self._lock:
            serves = self._end is not None
        if serves:
            time.sleep(self._delay)
        with self._lock:
            if self._end is None:
                leave()  # no client is connected yet
            else:
                self._end()
        time.sleep(self.grace_seconds + _MARGIN_SECONDS + self._more_seconds)
        self._on_timeout()
        leave()


def _log_timeout() -> None:
    log("requests in progress are aborted: the time for the shutdown is over", level="warning")


def leave() -> None:
    """End the process at once, without its workplaces."""
    with contextlib.suppress(OSError):
        workplace.leave()
    os._exit(0)
