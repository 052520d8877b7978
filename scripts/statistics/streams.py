"""Streams of simulated requests, and the counts at which the package's sequences decide. All vectorised."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.evidence.sequential import proportion

STREAMS, LENGTH, SEED = 4000, 10_000, 20261129

Counts = NDArray[np.int32]


@cache
def refuting_counts(share: float, level: float = 0.95, length: int = LENGTH) -> tuple[Counts, Counts]:
    """For each length of a stream the largest count that shows less than ``share``, the smallest that shows more."""
    low, high, lows, highs = -1, 0, [], []
    for n in range(1, length + 1):
        while low + 1 <= n and proportion(low + 1, n).below(share, level):
            low += 1
        while high <= n and not proportion(high, n).above(share, level):
            high += 1
        lows.append(low)
        highs.append(high)
    return np.array(lows, np.int32), np.array(highs, np.int32)


def ever_excluded(events: NDArray[np.bool_], share: float, level: float = 0.95) -> float:
    """Return the share of streams (rows) in which the interval ever excludes ``share``, looking after each event."""
    lows, highs = refuting_counts(share, level, events.shape[1])
    counts = events.cumsum(axis=1, dtype=np.int32)
    return float(((counts <= lows) | (counts >= highs)).any(axis=1).mean())


def percent(share: float) -> str:
    """Format a share of streams."""
    return f"{share:.1%}"
