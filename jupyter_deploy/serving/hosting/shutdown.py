"""SIGTERM and SIGINT of a container: heard at once, whatever the main thread does, and obeyed in ten seconds."""

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
"""So long the server waits for requests that it is answering."""

TIMEOUT_SECONDS = 9.2
"""So long after the signal nobody is waited for any more."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Ends this process when it is told to: gently once it serves, at once before.

    Python's own handlers run in the main thread, which may be in a library for long. What a signal writes into a pipe
    (``set_wakeup_fd``) a thread reads.
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
        threading.Thread(target=self._wait, args=(reading,), name="ending", daemon=True).start()

    def listen(self) -> None:
        """Have signals written to the pipe: said again where an event loop has taken them for itself."""
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def on_signal(
        self,
        end: Callable[[], None],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_timeout: Callable[[], None] | None = None,
    ) -> None:
        """From now on ``end`` is called, which ends what serves; ``at_last``, if that takes too long."""
        with self._lock:
            self._end = end
            self._timeout_seconds, self._on_timeout = timeout_seconds, on_timeout or self._on_timeout

    def _wait(self, reading: int) -> None:
        while os.read(reading, 1)[0] not in _SIGNALS:
            pass
        self._readiness.stopping = True
        with self._lock:
            if self._end is None:
                _leave()  # nobody has been let in
            else:
                self._end()
        time.sleep(self._timeout_seconds)
        self._on_timeout()
        _leave()


def _log_timeout() -> None:
    log("what is still asked is not waited for any more", level="warning")


def _leave() -> None:
    with contextlib.suppress(OSError):
        workplace.leave()
    os._exit(0)


def _ignore(_number: int, _frame: object) -> None:
    """Something has to be there, or a signal writes nothing."""
