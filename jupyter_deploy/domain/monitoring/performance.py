"""The performance of releases over time, where there is ground truth. Pure."""

from __future__ import annotations

from datetime import datetime

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.sequential import proportion


class Period(Value):
    """A release's answers with ground truth in a span of time.

    Attributes
    ----------
    rows
        Rows with ground truth; each counts once, also those of one client.
    accuracy
        The share of right answers, with its 95 % interval ``low`` to ``high``, valid at every look.
    error
        The mean absolute error of answers that are numbers. One of both is None.
    """

    start: datetime
    release: str
    rows: int
    accuracy: float | None = None
    error: float | None = None
    low: float | None = None
    high: float | None = None


def period_of(start: datetime, release: str, rows: int, right: int | None, error: float | None) -> Period:
    """Return the period with its interval."""
    if right is None:
        return Period(start=start, release=release, rows=rows, error=error)
    estimate = proportion(int(right), rows).estimate()
    interval = estimate.interval if estimate else None
    return Period(
        start=start,
        release=release,
        rows=rows,
        accuracy=right / rows,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )
