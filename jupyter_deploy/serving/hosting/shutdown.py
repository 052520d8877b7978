"""Shutdown of a container on SIGTERM and SIGINT: within ten seconds, whatever the main thread is doing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable

from .. import workplace
from ..telemetry.logging import log
from .startup_responder import Readiness

GRACE_SECONDS = 8
"""Time that the server gives to requests in progress."""

TIMEOUT_SECONDS = 9.2
"""Time after the signal at which the process exits in any case."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Ends this process on a signal: at once until it serves, gracefully afterwards.

    Python's own handlers run in the main thread, which a library may block for long. A thread therefore reads the
    signals from a pipe (``set_wakeup_fd``).
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._end: Callable[[], None] | None = None
        self._timeout_seconds = TIMEOUT_SECONDS
        self._on_timeout: Callable[[], None] = _log_timeout
        self._lock = threading.Lock()
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        for number in _SIGNALS:
            signal.signal(number, _ignore)
        self.listen()
        threading.Thread(target=self._wait, args=(reading,), name="shutdown", daemon=True).start()

    def listen(self) -> None:
        """Have signals written to the pipe; called again after an event loop has replaced the descriptor."""
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def on_signal(
        self,
        end: Callable[[], None],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_timeout: Callable[[], None] | None = None,
    ) -> None:
        """Set the function that stops the server, and ``on_timeout``, which is called if that takes too long."""
        with self._lock:
            self._end = end
            self._timeout_seconds, self._on_timeout = timeout_seconds, on_timeout or self._on_timeout

    def _wait(self, reading: int) -> None:
        while os.read(reading, 1)[0] not in _SIGNALS:
            pass
        self._readiness.stopping = True
        with self._lock:
            if self._end is None:
                _leave()  # no client is connected yet
            else:
                self._end()
        time.sleep(self._timeout_seconds)
        self._on_timeout()
        _leave()


def _log_timeout() -> None:
    log("requests in progress are aborted: the time for the shutdown is over", level="warning")


def _leave() -> None:
    with contextlib.suppress(OSError):
        workplace.leave()
    os._exit(0)


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing: without a handler, a signal is not written to the pipe."""
