"""SIGTERM and SIGINT of a container: heard at once, whatever the main thread does, and obeyed in ten seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable

from .. import workplace
from ..telemetry.logging import tell
from .startup_responder import State

GRACE_SECONDS = 8
"""So long the server waits for requests that it is answering."""

LAST_SECONDS = 9.2
"""So long after the signal nobody is waited for any more."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Ending:
    """Ends this process when it is told to: gently once it serves, at once before.

    Python's own handlers run in the main thread, which may be in a library for long. What a signal writes into a pipe
    (``set_wakeup_fd``) a thread reads.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._end: Callable[[], None] | None = None
        self._last_seconds = LAST_SECONDS
        self._at_last: Callable[[], None] = _not_waited_for
        self._lock = threading.Lock()
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        for number in _SIGNALS:
            signal.signal(number, _heard)
        self.listen()
        threading.Thread(target=self._wait, args=(reading,), name="ending", daemon=True).start()

    def listen(self) -> None:
        """Have signals written to the pipe: said again where an event loop has taken them for itself."""
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def gently(
        self,
        end: Callable[[], None],
        *,
        last_seconds: float = LAST_SECONDS,
        at_last: Callable[[], None] | None = None,
    ) -> None:
        """From now on ``end`` is called, which ends what serves; ``at_last``, if that takes too long."""
        with self._lock:
            self._end = end
            self._last_seconds, self._at_last = last_seconds, at_last or self._at_last

    def _wait(self, reading: int) -> None:
        while os.read(reading, 1)[0] not in _SIGNALS:
            pass
        self._state.ending = True
        with self._lock:
            if self._end is None:
                _leave()  # nobody has been let in
            else:
                self._end()
        time.sleep(self._last_seconds)
        self._at_last()
        _leave()


def _not_waited_for() -> None:
    tell("what is still asked is not waited for any more", level="warning")


def _leave() -> None:
    with contextlib.suppress(OSError):
        workplace.leave()
    os._exit(0)


def _heard(_number: int, _frame: object) -> None:
    """Something has to be there, or a signal writes nothing."""
