"""Ctrl-C and polite kills while notebooks run: one is enough, and those after it must not take the results along."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE = 60.0
"""Seconds. Kernels are gone and what had ended is stored long before; if something hangs, the next Ctrl-C is heard."""

_held = threading.Lock()


@contextmanager
def heard_once() -> Iterator[None]:
    """Within, the first Ctrl-C or polite kill is raised as ever, and those of the minute after it are not heard.

    Without effect in another thread than the main one, and within itself.
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

    # What Python does not handle (a kernel's polite kill) ends the process, as ever.
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
