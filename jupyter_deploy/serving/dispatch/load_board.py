"""The load of a release's workers, in memory that they share with their parent (``hosting.pool``).

Each worker writes its own slot; the parent reads all, and decides how many workers there are. The requests that wait
are those of the metric ``nbdeploy_requests_waiting``.
"""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass

_SLOT = struct.Struct("qqd")
_MOMENT = struct.Struct("d")


@dataclass(frozen=True)
class Load:
    """The load of one worker.

    Attributes
    ----------
    requests
        Requests in progress, without health checks and metrics.
    waiting
        Of these, the requests that wait for the model.
    last
        ``time.monotonic()`` of the last begin or end of one; 0: there was none.
    """

    requests: int
    waiting: int
    last: float


class LoadBoard:
    """The slots of ``workers`` workers; made before they are forked."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, _MOMENT.size + workers * _SLOT.size)

    def slot(self, number: int) -> Slot:
        """The slot of a worker, counted from 0."""
        return Slot(self._memory, _MOMENT.size + number * _SLOT.size)

    @property
    def rebalancing(self) -> bool:
        """Whether workers close each connection after its response, so that clients connect to others too."""
        return time.monotonic() < float(_MOMENT.unpack_from(self._memory)[0])

    def rebalance(self, seconds: float) -> None:
        """Have connections made anew during the next seconds."""
        _MOMENT.pack_into(self._memory, 0, time.monotonic() + seconds)


class Slot:
    """The part of the memory that one worker writes."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._memory, self._offset = memory, offset
        self._requests = self._waiting = 0

    def read(self) -> Load:
        return Load(*_SLOT.unpack_from(self._memory, self._offset))

    def clear(self) -> None:
        """Forget the load of a former worker, but not when it was."""
        self._write(self.read().last)

    def begin(self) -> None:
        """Count a request."""
        self._requests += 1
        self._write(time.monotonic())

    def end(self) -> None:
        """End the count of a request."""
        self._requests -= 1
        self._write(time.monotonic())

    def wait(self, waiting: int) -> None:
        """Set the number of requests that wait for the model."""
        if waiting != self._waiting:
            self._waiting = waiting
            self._write(time.monotonic())

    def _write(self, moment: float) -> None:
        _SLOT.pack_into(self._memory, self._offset, self._requests, self._waiting, moment)


_own: Slot | None = None


def write_to(slot: Slot) -> None:
    """Make a slot the one of this process."""
    global _own  # noqa: PLW0603 - a process has one load
    _own = slot


def own_slot() -> Slot | None:
    """The slot of this process; None: it has no parent that reads one."""
    return _own
