"""Where a model is called, and with how many rows at once: learnt from how long its calls take."""

from __future__ import annotations

from collections import deque

MAX_ROWS = 256
"""Never more in a joint call."""

QUICK_SECONDS = 0.001
"""The median of the last calls below which a thread would cost more than the call."""

SLOW_SECONDS = 0.02
"""One such call, and the thread has the model again: so long the loop may keep others waiting, once."""

_WINDOW_CALLS = 15
_COOLDOWN_CALLS = 500
_REQUIRED_GAIN = 0.95  # of the time a row: doubling the rows must win at least so much to be worth the longer call
_SAMPLES = 3  # calls of a size, the quickest of which counts: what held up the others was not the model
_RESET_CALLS = 2000  # calls: what was learnt in a bad moment must not decide for ever


class BatchSizer:
    """What is known of one model's calls.

    Parameters
    ----------
    inline
        Whether it may be called in the event loop at all.
    joint
        Whether several requests may be asked in one call.
    """

    def __init__(self, *, inline: bool, joint: bool) -> None:
        self._inline = inline
        self._last: deque[float] = deque(maxlen=_WINDOW_CALLS)
        self._cooldown = 0
        self._timed: dict[int, deque[float]] = {}  # seconds a row, by the power of two that the rows of a call reach
        self._least: dict[int, float] = {}  # of those of which there were enough
        self._calls = 0
        self._joint = joint
        self.quick = False

    @property
    def rows(self) -> int:
        """How many rows the next call may have: twice those of the best so far, if more rows were quicker each."""
        if not self._joint:
            return 1
        best = 1
        while best < MAX_ROWS and self._is_better(best * 2, best):
            best *= 2
        return best

    def observe(self, rows: int, seconds: float, processor_seconds: float) -> None:
        """A call has been made, and took so long by the clock, and of the processor.

        A machine that stalls makes any call long by the clock, in a thread too: that takes the loop from the model for
        a few calls. What took the processor so long will again.
        """
        self._calls += 1
        if self._calls % _RESET_CALLS == 0:
            self._timed.clear()
            self._least.clear()
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
            if processor_seconds > SLOW_SECONDS:
                self._cooldown = _COOLDOWN_CALLS
            return
        self._last.append(seconds)
        self._cooldown = max(0, self._cooldown - 1)
        full = len(self._last) == _WINDOW_CALLS and not self._cooldown
        self.quick = full and sorted(self._last)[_WINDOW_CALLS // 2] < QUICK_SECONDS

    def _is_better(self, more: int, fewer: int) -> bool:
        """Also where it was not tried often enough yet."""
        known, unknown = self._least.get(fewer), self._least.get(more)
        return known is None or unknown is None or unknown < _REQUIRED_GAIN * known
