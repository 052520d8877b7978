"""The share of flips that a proof without one leaves possible."""

from __future__ import annotations

from .sequential import proportion


def most_flips(rows: int, level: float = 0.95) -> float:
    """Return the largest share of flips if none was seen in ``rows`` rows.

    The upper end of the confidence sequence of a share, which holds at ``level`` after any number of rows.
    """
    estimate = proportion(0, rows).estimate(level)
    return 1.0 if estimate is None else estimate.interval.high
