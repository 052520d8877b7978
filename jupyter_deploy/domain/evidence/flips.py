"""The share of rows with another label, which a proof by rows leaves possible."""

from __future__ import annotations

from .inference import Interval
from .sequential import LEVEL, proportion


def share_of_flips(flips: int, rows: int, level: float = LEVEL) -> Interval:
    """Return the confidence sequence of the share of flips, which holds at ``level`` after any number of rows."""
    estimate = proportion(flips, rows).estimate(level)
    return Interval(low=0.0, high=1.0, level=level) if estimate is None else estimate.interval
