"""Batch size and thread of a model's calls, learnt from their durations."""

from __future__ import annotations

from collections import deque

MAX_ROWS = 256
"""Limit of rows in a batch of several requests."""

QUICK_SECONDS = 0.001
"""If the median duration of the last calls is below this, a thread would cost more than the call."""

SLOW_SECONDS = 0.02
"""A single call above this moves the model back to the thread: it may block the event loop only once."""

_WINDOW_CALLS = 15
_COOLDOWN_CALLS = 500
_MAX_STALLS = 9  # twice as many calls each time, up to the cooldown
_REQUIRED_GAIN = 0.95  # of the time a row: doubling the rows must save at least 5 percent of it
_SAMPLES = 3  # calls of a size, of which the fastest counts: the others were delayed by something else
_RESET_CALLS = 2000  # calls: durations of a bad moment must expire


class BatchSizer:
    """Chooses the rows and the thread of a model's next call.

    Parameters
    ----------
    inline
        Whether the model may run in the event loop at all.
    joint
        Whether several requests may share a call.
    first
        The size of a call before anything was learnt: 1, or ``MAX_ROWS`` if each call costs a query.

    Attributes
    ----------
    quick
        Whether the next call runs in the event loop.
    """

    def __init__(self, *, inline: bool, joint: bool, first: int = 1) -> None:
        self._inline = inline
        self._last: deque[float] = deque(maxlen=_WINDOW_CALLS)
        self._cooldown = 0
        self._timed: dict[int, deque[float]] = {}  # seconds a row, by the rows of a call rounded up to a power of two
        self._least: dict[int, float] = {}  # the fastest of each size that has enough samples
        self._calls = self._stalls = 0
        self._joint, self._first = joint, first
        self.quick = False

    @property
    def rows(self) -> int:
        """Rows of the next call at most: twice the best size so far, if larger batches take less time a row."""
        if not self._joint:
            return 1
        best = self._first
        while best < MAX_ROWS and self._is_better(best * 2, best):
            best *= 2
        return best

    def observe(self, rows: int, seconds: float, processor_seconds: float, *, waited: bool) -> None:
        """Learn from a call's wall time and processor time, in seconds, and from whether its thread waited.

        A call that used the processor for long will do so again, and leaves the event loop for many calls. A call that
        waited leaves the loop for a few calls, and for twice as many each time: the model may wait for something, or
        the call for a lock of this process. A call that did neither was slow because others had the processor; that
        says nothing about the model, and a thread would be as slow.
        """
        if seconds > SLOW_SECONDS >= processor_seconds and not waited:
            return
        self._calls += 1
        if self._calls % _RESET_CALLS == 0:
            self._timed.clear()
            self._least.clear()
            self._stalls = 0
        size = 1 << max(0, min(rows, MAX_ROWS) - 1).bit_length()
        timed = self._timed.setdefault(size, deque(maxlen=_SAMPLES))
        timed.append(seconds / max(1, rows))
        if len(timed) == _SAMPLES:
            self._least[size] = min(timed)
        if not self._inline:
            return
        if seconds > SLOW_SECONDS:
            self._last.clear()
            self.quick = False
            few = min(_COOLDOWN_CALLS, 1 << self._stalls)
            self._cooldown = _COOLDOWN_CALLS if processor_seconds > SLOW_SECONDS else max(few, self._cooldown)
            self._stalls = min(self._stalls + 1, _MAX_STALLS)
            return
        self._last.append(seconds)
        self._cooldown = max(0, self._cooldown - 1)
        full = len(self._last) == _WINDOW_CALLS and not self._cooldown
        self.quick = full and sorted(self._last)[_WINDOW_CALLS // 2] < QUICK_SECONDS

    def stay_in_thread(self) -> None:
        """Never run a call in the event loop again."""
        self._inline = self.quick = False

    def _is_better(self, more: int, fewer: int) -> bool:
        """Return whether the larger size is faster a row, or not measured often enough."""
        known, unknown = self._least.get(fewer), self._least.get(more)
        return known is None or unknown is None or unknown < _REQUIRED_GAIN * known
