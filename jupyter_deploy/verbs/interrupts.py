"""Ctrl-C and SIGTERM while notebooks run: the first ends the runs, and later ones must not lose the results."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE = 60.0
"""Seconds until a Ctrl-C counts again, in case the end hangs; usually the results are stored long before."""

_held = threading.Lock()


@contextmanager
def heard_once() -> Iterator[None]:
    """Raise the first Ctrl-C or SIGTERM within the block, and ignore those of the minute after it.

    No effect outside the main thread and within itself.
    """
    if threading.current_thread() is not threading.main_thread() or not _held.acquire(blocking=False):
        yield
        return
    first: float | None = None

    def hear(number: int, frame: Any) -> None:
        nonlocal first
        if first is not None and time.monotonic() - first < _PATIENCE:
            return
        first = time.monotonic()
        former[signal.Signals(number)](number, frame)

    # A signal without a handler in Python (SIGTERM in a kernel) ends the process, as usual.
    former = {
        number: handler for number in (signal.SIGINT, signal.SIGTERM) if callable(handler := signal.getsignal(number))
    }
    try:
        for number in former:
            signal.signal(number, hear)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        _held.release()
