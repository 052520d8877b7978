"""Ctrl-C and SIGTERM: none is lost, the first ends the runs of notebooks, and later ones must not lose the results."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_PATIENCE = 60.0
"""Seconds until a Ctrl-C counts again, in case the end hangs; usually the results are stored long before."""

_AGAIN_SECONDS = 0.005

_held = threading.Lock()

Handler = Callable[[int, FrameType | None], object]


def outside_pydantic(handler: Handler) -> Handler:
    """Return a signal handler that calls ``handler`` as soon as no code of pydantic runs.

    Many validators are built at their first use. pydantic's compiled code calls Python for that, and drops an exception
    that a handler raises meanwhile: the interrupt would be lost.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if _in_pydantic(frame):
            _thread.start_new_thread(_send_again, (number,))  # without locks, which the interrupted code may hold
        else:
            handler(number, frame)

    return handle


def _in_pydantic(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == "pydantic":
            return True
        frame = frame.f_back
    return False


def _send_again(number: int) -> None:
    time.sleep(_AGAIN_SECONDS)
    os.kill(os.getpid(), number)


@contextmanager
def heard_once() -> Iterator[None]:
    """Raise the first Ctrl-C or SIGTERM within the block, and ignore those of the minute after it.

    No effect outside the main thread and within itself.
    """
    if threading.current_thread() is not threading.main_thread() or not _held.acquire(blocking=False):
        yield
        return
    first: float | None = None

    def hear(number: int, frame: FrameType | None) -> None:
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
            signal.signal(number, outside_pydantic(hear))
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        _held.release()
