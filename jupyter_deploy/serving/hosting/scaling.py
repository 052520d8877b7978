"""The number of workers that a release needs, by its load. Pure.

As Kubernetes' autoscaler: quick to grow while requests wait for the model, slow to shrink.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..dispatch.load_board import Load

LOOK_SECONDS = 0.25
"""Time between two looks at the load."""

GROW_SECONDS = 0.5
SHRINK_SECONDS = 30.0


class Scaling:
    """Decides the number of workers from looks at their load.

    Parameters
    ----------
    least, most
        The bounds of the number.
    shrink_seconds
        A worker is taken away if it was not needed for so long.
    """

    def __init__(self, least: int, most: int, shrink_seconds: float = SHRINK_SECONDS) -> None:
        self._least, self._most, self._shrink_seconds = least, most, shrink_seconds
        self._waiting_since: float | None = None
        self._needed: deque[tuple[float, int]] = deque()  # the moment of a look -> workers that had requests
        self.wanted = least

    def look(self, now: float, loads: Sequence[Load], running: int) -> int:
        """Note the load at a moment; return the number of workers that there should be.

        ``running``: the ready workers. While one starts, the number does not grow further.
        """
        waiting = sum(load.waiting for load in loads)
        busy = sum(load.requests > 0 for load in loads)
        self._waiting_since = (self._waiting_since or now) if waiting else None
        if self._waiting_since is not None and now - self._waiting_since >= GROW_SECONDS and running >= self.wanted:
            self.wanted = min(self._most, self.wanted + 1)
            self._waiting_since = now
        self._needed.append((now, self.wanted if waiting else busy))
        while self._needed[0][0] < now - self._shrink_seconds:
            self._needed.popleft()
        if self._needed[0][0] <= now - self._shrink_seconds + LOOK_SECONDS * 2:
            self.wanted = max(self._least, min(self.wanted, max(count for _, count in self._needed)))
        return self.wanted
